//go:build unix

package gateway

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
	"time"
)

const credential = "Authorization: Bearer t\r\n"

func TestPathsArriveAsTheyWereSent(t *testing.T) {
	s := serve(t, allowStage, echo)
	for path, want := range map[string]struct{ resource, key string }{
		"/kv/1/key/a":                {"/kv/{id}/key/{key+}", "a"},
		"/kv/1/key/a/b":              {"/kv/{id}/key/{key+}", "a/b"},
		"/kv/1/key/a%2Fb%3Fc%20d+e":  {"/kv/{id}/key/{key+}", "a%2Fb%3Fc%20d+e"},
		"/kv/1/key/a//b":             {"/kv/{id}/key/{key+}", "a//b"},
		"/kv/1/key//a":               {"/kv/{id}/key/{key+}", "/a"},
		"/kv/1/key/../secret/./x":    {"/kv/{id}/key/{key+}", "../secret/./x"},
		"/kv/1/key/a/":               {"/kv/{id}/key/{key+}", "a/"},
		"/kv/1/key/%25%7a":           {"/kv/{id}/key/{key+}", "%25%7a"},
		"/kv/1/key/%00%FF":           {"/kv/{id}/key/{key+}", "%00%FF"},
		"/kv/1/key/\xc3\xbc":         {"/kv/{id}/key/{key+}", "%C3%BC"},
		"/kv/1/key/;a=b,c:d@e!$&'()": {"/kv/{id}/key/{key+}", ";a=b,c:d@e!$&'()"},
		"/kv/1/key":                  {"/kv/{id}/key", ""},
		"/kv/1/key/":                 {"/kv/{id}/key", ""},
		"/kv/1/keys":                 {"/kv/{id}/{other}", ""},
	} {
		e := s.event(t, "GET", path, credential, "")
		values, _ := e["pathParameters"].(map[string]any)
		key, _ := values["key"].(string)
		sent := strings.ReplaceAll(path, "\xc3\xbc", "%C3%BC")
		if e["resource"] != want.resource || key != want.key || e["path"] != sent || values["id"] != "1" {
			t.Errorf("%s: got resource %v, key %q, path %v, want %s, %q, %s", path, e["resource"], key, e["path"], want.resource, want.key, sent)
		}
	}
	if e := s.event(t, "GET", "http://api.test:3000/open?a=b", "", ""); e["path"] != "/open" {
		t.Errorf("absolute form: got path %v", e["path"])
	}
}

func TestUnknownRoutesHaveNoFunction(t *testing.T) {
	s := serve(t, allowStage, echo)
	for _, path := range []string{"/", "/nothing", "//open", "/open/x", "/kv//key", "/kv/1", "/OPEN", "/o%70en"} {
		response, body := s.raw(t, "GET", path, credential, "")
		if response.StatusCode != 403 || body != `{"message":"Missing Authentication Token"}` {
			t.Errorf("%s: got %d %s", path, response.StatusCode, body)
		}
	}
	if response, _ := s.raw(t, "DELETE", "/open", "", ""); response.StatusCode != 403 {
		t.Errorf("method without a route: got %d", response.StatusCode)
	}
	if e := s.event(t, "PATCH", "/any", "", ""); e["httpMethod"] != "PATCH" {
		t.Errorf("ANY: got %v", e["httpMethod"])
	}
}

func TestQueryParametersAreDecoded(t *testing.T) {
	s := serve(t, allowStage, echo)
	e := s.event(t, "GET", "/open?a=1&a=2&b=&c&d=x%2By+z&%C3%BC=%26&bad=%zz&q=?&select[]=m%5B%5D", "", "")
	wantMulti := map[string]any{
		"a": []any{"1", "2"}, "b": []any{""}, "c": []any{""}, "d": []any{"x+y z"}, "ü": []any{"&"}, "bad": []any{"%zz"}, "q": []any{"?"}, "select[]": []any{"m[]"},
	}
	if got := e["multiValueQueryStringParameters"]; !reflect.DeepEqual(got, wantMulti) {
		t.Errorf("multi: got %v, want %v", got, wantMulti)
	}
	if got := e["queryStringParameters"].(map[string]any)["a"]; got != "2" {
		t.Errorf("single: got %v, want the last", got)
	}
	e = s.event(t, "GET", "/open", "", "")
	if e["queryStringParameters"] != nil || e["multiValueQueryStringParameters"] != nil || e["pathParameters"] != nil || e["body"] != nil {
		t.Errorf("without any: got %v", e)
	}
}

func TestHeadersBodyAndContext(t *testing.T) {
	s := serve(t, allowStage, echo)
	e := s.event(t, "POST", "/open", "X-A: 1\r\nx-a: 2\r\nUser-Agent: u\r\nX-Forwarded-For: 9.9.9.9\r\nTE: trailers\r\n", `{"a":"<&>"}`)
	if e["body"] != `{"a":"<&>"}` || e["isBase64Encoded"] != false {
		t.Errorf("body: got %v", e["body"])
	}
	multi, single := e["multiValueHeaders"].(map[string]any), e["headers"].(map[string]any)
	if !reflect.DeepEqual(multi["X-A"], []any{"1", "2"}) || single["X-A"] != "2" || single["Host"] != "api.test" || single["Te"] != nil {
		t.Errorf("headers: got %v, %v", multi, single)
	}
	if got := single["X-Forwarded-For"]; got != "9.9.9.9, 127.0.0.1" {
		t.Errorf("X-Forwarded-For: got %v", got)
	}
	c := e["requestContext"].(map[string]any)
	identity := c["identity"].(map[string]any)
	if c["stage"] != "live" || c["path"] != "/open" || c["resourcePath"] != "/open" || identity["sourceIp"] != "127.0.0.1" || identity["userAgent"] != "u" {
		t.Errorf("context: got %v", c)
	}
	if _, err := time.Parse("02/Jan/2006:15:04:05 -0700", c["requestTime"].(string)); err != nil || len(c["requestId"].(string)) != 36 {
		t.Errorf("time and id: got %v, %v", c["requestTime"], c["requestId"])
	}
	if c["authorizer"] != nil {
		t.Errorf("a route without authorizer has the context %v", c["authorizer"])
	}
	s.gateway.api.BinaryMediaTypes = []string{"application/zip"}
	e = s.event(t, "POST", "/open", "Content-Type: application/zip\r\n", "\x00\xff")
	if e["body"] != base64.StdEncoding.EncodeToString([]byte("\x00\xff")) || e["isBase64Encoded"] != true {
		t.Errorf("binary body: got %v", e["body"])
	}
}
