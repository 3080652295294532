//go:build unix

package gateway

import (
	"errors"
	"reflect"
	"testing"

	"github.com/opsplane/opsplane/infra/local/runtimeapi"
)

func TestAuthorizerIsAskedFirstAndItsContextIsText(t *testing.T) {
	var asked map[string]any
	s := serve(t, func(e map[string]any) (string, error) {
		asked = e
		return allowStage(e)
	}, echo)
	e := s.event(t, "GET", "/kv/7/key/a%2Fb?x=1", credential, "")
	if asked["type"] != "REQUEST" || asked["methodArn"] != "arn:aws:execute-api:us-east-1:000000000000:local/live/GET/kv/7/key/a%2Fb" {
		t.Errorf("authorizer's event: got type %v, methodArn %v", asked["type"], asked["methodArn"])
	}
	if _, ok := asked["body"]; ok {
		t.Error("the authorizer was given a body")
	}
	got := e["requestContext"].(map[string]any)["authorizer"].(map[string]any)
	delete(got, "integrationLatency")
	want := map[string]any{"principalId": "ann", "caller": "x", "n": "7", "yes": "true"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("context: got %v, want %v", got, want)
	}
	if asked["requestContext"].(map[string]any)["requestId"] != e["requestContext"].(map[string]any)["requestId"] {
		t.Error("authorizer and function were given different request ids")
	}
}

func TestRefusals(t *testing.T) {
	arn := "arn:aws:execute-api:us-east-1:000000000000:local/live/GET/kv/1/key/a"
	for name, c := range map[string]struct {
		headers string
		answer  string
		err     error
		status  int
		body    string
	}{
		"no credential":       {"", "", nil, 403, ""},
		"empty credential":    {"Authorization:\r\n", "", nil, 403, ""},
		"deny":                {credential, verdictFor("Deny", arn), nil, 403, ""},
		"deny of all":         {credential, verdictFor("Deny", "*"), nil, 403, ""},
		"another path":        {credential, verdictFor("Allow", arn+"b"), nil, 403, ""},
		"another stage":       {credential, verdictFor("Allow", "arn:aws:execute-api:us-east-1:000000000000:local/test/*"), nil, 403, ""},
		"no statement":        {credential, `{"principalId": "ann", "policyDocument": {"Statement": []}}`, nil, 403, ""},
		"deny beside allow":   {credential, `{"principalId": "a", "policyDocument": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "execute-api:*", "Resource": "*/GET/*"}]}}`, nil, 403, ""},
		"wildcard":            {credential, verdictFor("Allow", "arn:aws:execute-api:*:*:*/live/G?T/kv/*/a"), nil, 200, "ok"},
		"error Unauthorized":  {credential, "", &runtimeapi.FunctionError{Type: "errorString", Message: "Unauthorized"}, 403, ""},
		"other error":         {credential, "", &runtimeapi.FunctionError{Type: "x", Message: "y"}, 500, `{"message":"Internal server error"}`},
		"not JSON":            {credential, "no", nil, 500, `{"message":"Internal server error"}`},
		"no principal":        {credential, `{"policyDocument": {"Statement": []}}`, nil, 500, `{"message":"Internal server error"}`},
		"list in the context": {credential, `{"principalId": "a", "policyDocument": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, "context": {"l": []}}`, nil, 500, `{"message":"Internal server error"}`},
		"throttled":           {credential, "", runtimeapi.ErrThrottled, 500, `{"message":"Internal server error"}`},
	} {
		t.Run(name, func(t *testing.T) {
			asked := false
			s := serve(t, func(map[string]any) (string, error) {
				asked = true
				return c.answer, c.err
			}, func(map[string]any) (string, error) { return `{"statusCode": 200, "body": "ok"}`, nil })
			response, body := s.raw(t, "GET", "/kv/1/key/a", c.headers, "")
			if response.StatusCode != c.status || body != c.body {
				t.Errorf("got %d %q, want %d %q", response.StatusCode, body, c.status, c.body)
			}
			if asked != (c.headers == credential) {
				t.Errorf("authorizer asked: %v", asked)
			}
		})
	}
}

func TestFunctionFailures(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		err    error
		status int
		body   string
	}{
		"crash":             {"", &runtimeapi.FunctionError{Type: "Runtime.ExitError"}, 502, `{"message":"Internal server error"}`},
		"cannot start":      {"", errors.New("no"), 502, `{"message":"Internal server error"}`},
		"no JSON":           {"x", nil, 502, `{"message":"Internal server error"}`},
		"unknown field":     {`{"statusCode": 200, "status": "x"}`, nil, 502, `{"message":"Internal server error"}`},
		"no status":         {`{"body": "x"}`, nil, 502, `{"message":"Internal server error"}`},
		"body not text":     {`{"statusCode": 200, "body": {}}`, nil, 502, `{"message":"Internal server error"}`},
		"too large":         {"", runtimeapi.ErrTooLarge, 413, `{"id":"REQUEST_TOO_LARGE","data":"Request Too Long"}`},
		"throttled":         {"", runtimeapi.ErrThrottled, 500, `{"message":"Internal server error"}`},
		"no body":           {`{"statusCode": 201}`, nil, 201, ""},
		"status in quotes":  {`{"statusCode": "404", "body": "x"}`, nil, 404, "x"},
		"base64, no binary": {`{"statusCode": 200, "body": "eA==", "isBase64Encoded": true}`, nil, 200, "eA=="},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, allowStage, func(map[string]any) (string, error) { return c.answer, c.err })
			response, body := s.raw(t, "GET", "/open", "", "")
			if response.StatusCode != c.status || body != c.body {
				t.Errorf("got %d %q, want %d %q", response.StatusCode, body, c.status, c.body)
			}
		})
	}
}
