//go:build unix

package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/template"
)

// invoker is a function whose behaviour a test defines.
type invoker func(event map[string]any) (string, error)

func (f invoker) Invoke(_ context.Context, event []byte) ([]byte, error) {
	var e map[string]any
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	text, err := f(e)
	return []byte(text), err
}

// echo returns the event that it received.
func echo(event map[string]any) (string, error) {
	body, err := json.Marshal(event)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{"statusCode": 200, "body": string(body)})
	return string(text), err
}

func verdictFor(effect, resource string) string {
	return fmt.Sprintf(`{"principalId": "ann", "policyDocument": {"Version": "2012-10-17", "Statement":
		[{"Action": "execute-api:Invoke", "Effect": %q, "Resource": [%q]}]}, "context": {"caller": "x", "n": 7, "yes": true}}`, effect, resource)
}

func allowStage(event map[string]any) (string, error) {
	arn := event["methodArn"].(string)
	return verdictFor("Allow", arn[:strings.Index(arn, "/live/")]+"/live/*"), nil
}

func testTemplate() *template.Template {
	return &template.Template{
		API: template.API{
			Stage:       "live",
			Authorizers: map[string]template.Authorizer{"Key": {Function: "Authorizer", IdentityHeaders: []string{"Authorization"}}},
			GatewayResponses: map[string]template.GatewayResponse{
				"UNAUTHORIZED":  {StatusCode: 403, Templates: map[string]string{"application/json": ""}, Headers: map[string]string{"Cache-Control": "no-store"}},
				"ACCESS_DENIED": {StatusCode: 403, Templates: map[string]string{"application/json": ""}},
				"REQUEST_TOO_LARGE": {StatusCode: 413, Templates: map[string]string{
					"application/json": `{"id":"REQUEST_TOO_LARGE","data":$context.error.messageString}`,
				}},
			},
		},
		Functions: []template.Function{{LogicalID: "Authorizer"}, {
			LogicalID: "Echo",
			Routes: []template.Route{
				{Method: "GET", Path: "/kv/{id}/key/{key+}", Authorizer: "Key"},
				{Method: "PUT", Path: "/kv/{id}/key/{key+}", Authorizer: "Key"},
				{Method: "GET", Path: "/kv/{id}/key", Authorizer: "Key"},
				{Method: "GET", Path: "/kv/{id}/{other}", Authorizer: "Key"},
				{Method: "GET", Path: "/open"},
				{Method: "POST", Path: "/open"},
				{Method: "HEAD", Path: "/open"},
				{Method: "ANY", Path: "/any"},
			},
		}},
	}
}

type server struct {
	*httptest.Server
	gateway *Gateway
	reports []string
}

func serve(t *testing.T, authorizer, function invoker) *server {
	t.Helper()
	s := &server{}
	s.gateway = New(testTemplate(), map[string]Invoker{"Authorizer": authorizer, "Echo": function}, func(line string) { s.reports = append(s.reports, line) })
	s.Server = httptest.NewServer(s.gateway)
	t.Cleanup(s.Close)
	return s
}

// raw sends a request line without change. Go's client would clean the path.
func (s *server) raw(t *testing.T, method, target, headers, body string) (*http.Response, string) {
	t.Helper()
	return sendRaw(t, s.Listener.Addr().String(), method, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: api.test:3000\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		method, target, headers, len(body), body), false)
}

// sendRaw writes bytes and reads one response. With end, it first closes the sending direction
// of the client.
func sendRaw(t *testing.T, address, method, bytes string, end bool) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, bytes); err != nil {
		t.Fatal(err)
	}
	if end {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// event sends a request to a route of the echo function and returns the function's event.
func (s *server) event(t *testing.T, method, target, headers, body string) map[string]any {
	t.Helper()
	response, text := s.raw(t, method, target, headers, body)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: status %d, body %s, reports %v", method, target, response.StatusCode, text, s.reports)
	}
	var e map[string]any
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	return e
}
