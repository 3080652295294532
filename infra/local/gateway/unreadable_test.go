//go:build unix

package gateway

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/template"
)

// served serves the gateway with a server and a listener of its own. Its template has refusals
// for requests that cannot be read.
func served(t *testing.T) string {
	t.Helper()
	api := testTemplate()
	for kind, says := range map[refusal]string{defaultClientRefusal: "unread", badBody: "no body"} {
		api.API.GatewayResponses[string(kind)] = template.GatewayResponse{
			Headers:   map[string]string{"Cache-Control": "no-store"},
			Templates: map[string]string{"application/json": `{"id":"BAD_REQUEST","data":"` + says + `"}`},
		}
	}
	api.API.GatewayResponses[string(missingToken)] = template.GatewayResponse{StatusCode: 404, Templates: map[string]string{"application/json": ""}}
	g := New(api, map[string]Invoker{"Authorizer": invoker(allowStage), "Echo": invoker(echo)}, func(string) {})
	s := httptest.NewUnstartedServer(nil)
	s.Config, s.Listener = g.Server(), g.Listen(s.Listener)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestEveryAnswerHasTheFormOfTheTemplate(t *testing.T) {
	t.Parallel()
	address := served(t)
	for _, c := range []struct {
		name, line, more string
		status           int
		body             string
	}{
		{"a path that is no percent-encoding", "GET /open/%zz", "\r\n", 400, `{"id":"BAD_REQUEST","data":"unread"}`},
		{"a header that is none", "GET /open", "no header\r\n\r\n", 400, `{"id":"BAD_REQUEST","data":"unread"}`},
		{"headers beyond all bounds", "GET /open", "X: " + strings.Repeat("x", 2<<20) + "\r\n\r\n", 431, `{"id":"BAD_REQUEST","data":"unread"}`},
		{"an encoding that nobody knows", "POST /open", "Transfer-Encoding: zip\r\n\r\n", 400, `{"id":"BAD_REQUEST","data":"unread"}`},
		{"a body that ends before its length", "POST /open", "Content-Length: 9\r\n\r\n{\"a\":", 400, `{"id":"BAD_REQUEST","data":"no body"}`},
		{"a broken chunk", "POST /open", "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, `{"id":"BAD_REQUEST","data":"no body"}`},
		{"HEAD of what has a GET", "HEAD /kv/1/key/a", "\r\n", 404, ""},
		{"OPTIONS of what has a GET", "OPTIONS /kv/1/key/a", "\r\n", 404, ""},
		{"OPTIONS of the server", "OPTIONS *", "\r\n", 404, ""},
		{"a method that nobody knows", "BREW /open", "\r\n", 404, ""},
		{"no route", "GET /none", "\r\n", 404, ""},
	} {
		method, _, _ := strings.Cut(c.line, " ")
		response, body := sendRaw(t, address, method, fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\n%s", c.line, c.more), true)
		h := response.Header
		if response.StatusCode != c.status || body != c.body || h.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %d %s %q, want %d %q", c.name, response.StatusCode, h.Get("Content-Type"), body, c.status, c.body)
		}
		if h.Get("X-Amzn-Requestid") == "" || h.Get("Date") == "" {
			t.Errorf("%s: headers %v", c.name, h)
		}
	}
}

// A function's response may contain text that net/http would write itself. It must not be
// changed.
func TestAnswersOfFunctionsAreLeftAsTheyAre(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"HTTP/1.1 400 Bad Request" + string(plainHeaders) + "400 Bad Request":            400,
		"HTTP/1.1 505 HTTP Version Not Supported: x" + string(plainHeaders) + "x":        400,
		"HTTP/1.1 400 Bad Request\r\nDate: x" + string(plainHeaders) + "400 Bad Request": 0,
		"HTTP/1.1 200 OK" + string(plainHeaders) + "x":                                   0,

		"x" + string(plainHeaders): 0,
		"":                         0,
	} {
		if got, ok := plainStatus([]byte(text)); ok != (want != 0) || ok && got != want {
			t.Errorf("%q: got %d %v, want %d", text, got, ok, want)
		}
	}
}
