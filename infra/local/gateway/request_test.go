//go:build unix

package gateway

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// TestRequestsThatTheRealGatewayDoesNotAdmit checks each limit at its edge: the last request
// that passes, and the first that does not.
func TestRequestsThatTheRealGatewayDoesNotAdmit(t *testing.T) {
	const (
		arn  = "arn:aws:execute-api:us-east-1:000000000000:abcdefghij/live/"
		kv   = "/kv/1/key/"
		line = "GET /open HTTP/1.1\r\nHost: api.test:3000\r\nContent-Length: 0\r\nConnection: close\r\n"
	)
	key := func(method string, beyond int) string {
		return kv + strings.Repeat("k", maxMethodARN-len(arn)-len(method)-len(kv)+beyond)
	}
	header := func(beyond int) string {
		const name = "X-Long: "
		return name + strings.Repeat("h", maxHead-len(line)-len(name)-len("\r\n")+beyond) + "\r\n"
	}
	query := func(beyond int) string {
		return "/open?" + strings.Repeat("q", maxHead-len(line)-len("?")+beyond)
	}
	for name, c := range map[string]struct {
		method, target, headers string
		status                  int
		body                    string // of a refusal
	}{
		"ARN of 1,600 bytes":                              {"GET", key("GET", 0), credential, 200, ""},
		"ARN of 1,601 bytes":                              {"GET", key("GET", 1), credential, 414, `{"message":"Request URI too long"}`},
		"a longer method's name counts":                   {"PUT", key("PUT", 1), credential, 414, `{"message":"Request URI too long"}`},
		"a key of 500 Cyrillic letters":                   {"GET", kv + strings.Repeat("%D0%BA", 500), credential, 414, `{"message":"Request URI too long"}`},
		"a long ARN without a credential":                 {"GET", key("GET", 1), "", 414, `{"message":"Request URI too long"}`},
		"an address of any length, without an authorizer": {"GET", "/open?" + strings.Repeat("q", 3000), "", 200, ""},
		"headers and request line of 10,240 bytes":        {"GET", "/open", header(0), 200, ""},
		"headers and request line of 10,241 bytes":        {"GET", "/open", header(1), 431, `{"message":"HTTP header is larger than 10240 bytes"}`},
		"a query up to 10,240 bytes":                      {"GET", query(0), "", 200, ""},
		"a query up to 10,241 bytes":                      {"GET", query(1), "", 431, `{"message":"HTTP header is larger than 10240 bytes"}`},
		"50 selections of 1,024 bytes":                    {"GET", "/open?" + strings.Repeat("select="+strings.Repeat("s", 1024)+"&", 50), "", 431, `{"message":"HTTP header is larger than 10240 bytes"}`},
		"a bar in the query":                              {"GET", "/open?a=b|c", "", 400, `{"message":"Bad Request"}`},
		"a brace in the query":                            {"GET", "/open?a={", "", 400, `{"message":"Bad Request"}`},
		"both encoded":                                    {"GET", "/open?a=b%7Cc%7B%7D", "", 200, ""},
		"brackets in the query":                           {"GET", "/open?a=b[0]", "", 200, ""},
		"another method by its header":                    {"POST", kv + "a", credential + "X-HTTP-Method-Override: PUT\r\n", 200, ""},
		"a method by its header that the path has not":    {"GET", "/open", "X-HTTP-Method-Override: DELETE\r\n", 403, `{"message":"Missing Authentication Token"}`},
		"the header does not lead around the authorizer":  {"POST", kv + "a", "X-HTTP-Method-Override: GET\r\n", 403, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, allowStage, func(map[string]any) (string, error) { return `{"statusCode": 200}`, nil })
			response, body := s.raw(t, c.method, c.target, c.headers, "")
			if response.StatusCode != c.status || body != c.body {
				t.Errorf("got %d %q, want %d %q", response.StatusCode, body, c.status, c.body)
			}
		})
	}
}

func TestOverriddenMethodIsTheMethod(t *testing.T) {
	var arn string
	s := serve(t, func(e map[string]any) (string, error) {
		arn = fmt.Sprint(e["methodArn"], " ", e["httpMethod"])
		return allowStage(e)
	}, echo)
	e := s.event(t, "POST", "/kv/1/key/a", credential+"x-http-method-override: PUT\r\n", "")
	if want := "arn:aws:execute-api:us-east-1:000000000000:local/live/PUT/kv/1/key/a PUT"; arn != want {
		t.Errorf("the authorizer was asked for %s, want %s", arn, want)
	}
	context := e["requestContext"].(map[string]any)
	if e["httpMethod"] != "PUT" || context["httpMethod"] != "PUT" {
		t.Errorf("the function was given %v and %v, want PUT", e["httpMethod"], context["httpMethod"])
	}
	for name := range e["headers"].(map[string]any) {
		if strings.EqualFold(name, methodOverride) {
			t.Errorf("the function was given the header %s", name)
		}
	}
}

func TestSemicolonSplitsAQuery(t *testing.T) {
	s := serve(t, allowStage, echo)
	e := s.event(t, "GET", "/open?select=a;b=c;;d=e%3Bf", "", "")
	want := map[string]any{"select": "a", "b": "c", "d": "e;f"}
	if got := e["queryStringParameters"]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestWhoeverAsksUsesUpTheMethodsLimit checks the effect of a flood of requests without
// credentials on callers that have a credential. API Gateway counts a request before it asks
// the authorizer ("Throttle requests to your REST APIs", Amazon API Gateway Developer Guide).
func TestWhoeverAsksUsesUpTheMethodsLimit(t *testing.T) {
	asked := 0
	s := serve(t, func(e map[string]any) (string, error) {
		asked++
		return allowStage(e)
	}, func(map[string]any) (string, error) { return `{"statusCode": 200}`, nil })
	s.gateway.api.MethodSettings = append(s.gateway.api.MethodSettings, everyMethod(3))
	s.gateway.Throttle()
	for i, c := range []struct {
		method, headers string
		status          int
	}{
		{"GET", "", http.StatusForbidden},
		{"GET", credential, http.StatusOK},
		{"GET", "", http.StatusForbidden},
		{"GET", credential, http.StatusTooManyRequests},
		{"GET", "", http.StatusTooManyRequests},
		{"PUT", credential, http.StatusOK}, // another method has another limit
		{"POST", credential + "X-HTTP-Method-Override: GET\r\n", http.StatusTooManyRequests},
	} {
		if response, _ := s.raw(t, c.method, "/kv/1/key/a", c.headers, ""); response.StatusCode != c.status {
			t.Errorf("request %d, %s: got %d, want %d", i+1, c.method, response.StatusCode, c.status)
		}
	}
	if asked != 2 {
		t.Errorf("the authorizer was asked %d times, want 2", asked)
	}
}
