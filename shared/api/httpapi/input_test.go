package httpapi_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
)

// taking returns a public route with an input and a decoder.
func taking(input httpapi.Input, decode func(*http.Request) (struct{}, error)) httpapi.Route {
	return httpapi.Route{
		Pattern: "POST /x", Rule: access.Rule{Public: true}, Input: input,
		Endpoint: httpapi.JSON(decode, func(context.Context, httpapi.Call, struct{}) (httpapi.Empty, error) { return httpapi.Empty{}, nil }),
	}
}

// reading returns a decoder that reads query parameters, and the body if body is
// true.
func reading(body bool, names ...string) func(*http.Request) (struct{}, error) {
	return func(r *http.Request) (struct{}, error) {
		q := httpapi.NewQuery(r)
		for _, name := range names {
			q.String(name, "")
		}
		if body {
			b := httpapi.NewBody(r)
			for _, name := range b.Names() {
				b.Has(name)
			}
			return struct{}{}, errors.Join(b.Err(), q.Err())
		}
		return struct{}{}, q.Err()
	}
}

// post sends a request to a function with only this route.
func post(t *testing.T, route httpapi.Route, query, body string) events.APIGatewayProxyResponse {
	t.Helper()
	l := httpapi.NewLambda([]httpapi.Route{route}, slog.New(slog.DiscardHandler), time.Now)
	resp, err := l.Handle(t.Context(), httpapitest.Event(t, "POST", "/x"+query, nil, body))
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestWhatARouteDoesNotTakeIsRefusedByName(t *testing.T) {
	t.Parallel()
	input := httpapi.Input{
		Query: []string{"committed", "idx"}, Lists: []string{"select"}, Members: []string{"data", "committed", "keys", "keys.key", "keys.idx"},
	}
	route := taking(input, reading(true, "committed", "idx", "select"))
	for _, c := range []struct{ name, query, body, id, says string }{
		{"known", "?committed=1&select=a&select=b", `{"data":{"data":1,"data":2,"x":{}},"committed":null}`, "", ""},
		{"known inside", "", `{"keys":[{"key":"a"},{"key":"a","idx":1},7,[]]}`, "", ""},
		{"misspelt parameter", "?comitted=false", `{}`, "UNKNOWN_PARAMETER", `"comitted" is unknown here; did you mean committed? (known parameters are committed, idx, select)`},
		{"swapped letters", "?ixd=1", `{}`, "UNKNOWN_PARAMETER", "did you mean idx?"},
		{"another case", "?IDX=1", `{}`, "UNKNOWN_PARAMETER", "did you mean idx?"},
		{"like no known name", "?zzz=1", `{}`, "UNKNOWN_PARAMETER", `"zzz" is unknown here; known parameters are committed, idx, select`},
		{"no name", "?=1", `{}`, "UNKNOWN_PARAMETER", `"" is unknown here`},
		{"given twice", "?idx=1&idx=1", `{}`, "INVALID_PARAMETER", "idx is there 2 times"},
		{"misspelt member", "", `{"data":1,"comitted":false}`, "UNKNOWN_MEMBER", `"comitted" is unknown here; did you mean committed?`},
		{"member in another case", "", `{"data":1,"Committed":false}`, "UNKNOWN_MEMBER", `"Committed" is unknown here; did you mean committed?`},
		{"member twice", "", `{"committed":true,"committed":false}`, "INVALID_BODY", `"committed" is there twice`},
		{"member twice, once with escapes", "", `{"committed":true,"\u0063ommitted":false}`, "INVALID_BODY", `"committed" is there twice`},
		{"member inside", "", `{"keys":[{"key":"a"},{"key":"a","ixd":1}]}`, "UNKNOWN_MEMBER", `"keys.ixd" is unknown here; did you mean keys.idx? (known members are keys.key, keys.idx)`},
		{"member inside that is like none but for its path", "", `{"keys":[{"select":"a"}]}`, "UNKNOWN_MEMBER", `"keys.select" is unknown here; known members are keys.key, keys.idx`},
		{"member inside, without the array", "", `{"keys":{"kye":"a"}}`, "UNKNOWN_MEMBER", "did you mean keys.key?"},
		{"a path for a name", "", `{"keys.key":"a"}`, "UNKNOWN_MEMBER", `"keys.key" is unknown here`},
		{"10,000 deep", "", `{"data":` + nested(9999) + `}`, "", ""},
		{"10,001 deep", "", `{"data":` + nested(10000) + `}`, "JSON_TOO_DEEP", "256 deep"},
		{"10,001 deep, of nothing known", "", nested(10001), "JSON_TOO_DEEP", "256 deep"},
		{"deep and broken before", "", `{"data":]` + nested(10001) + `}`, "INVALID_BODY", "not JSON"},
	} {
		resp := post(t, route, c.query, c.body)
		switch {
		case c.id == "" && resp.StatusCode != 200:
			t.Errorf("%s: got %d %s, want 200", c.name, resp.StatusCode, resp.Body)
		case c.id != "" && (resp.StatusCode != 400 || !strings.Contains(resp.Body, `"id":"`+c.id+`"`) || !strings.Contains(resp.Body, quoted(c.says))):
			t.Errorf("%s: got %d %s, want 400 %s that says %s", c.name, resp.StatusCode, resp.Body, c.id, c.says)
		}
	}
}

// nested returns arrays nested inside each other.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// quoted returns a text as it appears inside a JSON string.
func quoted(text string) string { return strings.ReplaceAll(text, `"`, `\"`) }

func TestARouteWithoutABodyTakesNone(t *testing.T) {
	t.Parallel()
	route := taking(httpapi.Input{}, reading(false))
	for body, want := range map[string]int{
		"": 200, " \r\n": 200, "{}": 200, " { } ": 200, "null": 200,
		`{"sha256":"x"}`: 400, "[]": 400, `"x"`: 400, "x=1": 400, "{": 400, "{}{}": 400,
	} {
		if resp := post(t, route, "", body); resp.StatusCode != want {
			t.Errorf("%q: got %d %s, want %d", body, resp.StatusCode, resp.Body, want)
		}
	}
}

func TestARouteMayTakeWhatOthersDecide(t *testing.T) {
	t.Parallel()
	route := taking(httpapi.Input{Query: []string{"code"}, OtherQuery: "the host's", AnyBody: "the host's"}, reading(false, "code"))
	for target, want := range map[string]int{"?iss=x&iss=y&code=1": 200, "": 200, "?code=1&code=2": 400} {
		if resp := post(t, route, target, `{"a":1,"a":2}`); resp.StatusCode != want {
			t.Errorf("%q: got %d %s, want %d", target, resp.StatusCode, resp.Body, want)
		}
	}
}

// If a declaration and a decoder do not agree, that is an error in the program. The
// request must not continue as if the server had used its parameter.
func TestADeclarationThatItsDecoderDoesNotKeepToFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		route httpapi.Route
		query string
		want  int
	}{
		"declared, given and not read":     {taking(httpapi.Input{Query: []string{"idx"}}, reading(false)), "?idx=1", 500},
		"declared, not given and not read": {taking(httpapi.Input{Query: []string{"idx"}}, reading(false)), "", 200},
		"read and not declared":            {taking(httpapi.Input{}, reading(false, "idx")), "", 500},
	} {
		if resp := post(t, c.route, c.query, ""); resp.StatusCode != c.want {
			t.Errorf("%s: got %d %s, want %d", name, resp.StatusCode, resp.Body, c.want)
		}
	}
	input := httpapi.Input{Members: []string{"a", "list", "list.b"}}
	member := func(names ...string) func(*http.Request) (struct{}, error) {
		return func(r *http.Request) (struct{}, error) {
			b := httpapi.NewBody(r)
			for _, name := range names {
				b.Has(name)
			}
			return struct{}{}, b.Err()
		}
	}
	list := httpapi.ObjectList{Must: "must be a list", Element: "must hold objects", Max: 2, TooMany: "TOO_MANY"}
	inside := func(r *http.Request) (struct{}, error) {
		b := httpapi.NewBody(r)
		for range b.Objects("list", list) {
		}
		return struct{}{}, b.Err()
	}
	notIn := func(r *http.Request) (struct{}, error) {
		b := httpapi.NewBody(r)
		b.Objects("list", list)
		return struct{}{}, b.Err()
	}
	for name, c := range map[string]struct {
		decode func(*http.Request) (struct{}, error)
		body   string
		want   int
	}{
		"declared, sent and read":                {member("a"), `{"a":1}`, 200},
		"declared, sent and not read":            {member(), `{"a":1}`, 500},
		"declared, not sent and not read":        {member(), `{}`, 200},
		"read and not declared":                  {member("c"), `{}`, 500},
		"declared inside, sent and not read":     {inside, `{"list":[{"b":1}]}`, 500},
		"declared inside, not sent and not read": {inside, `{"list":[{}]}`, 200},
		"of the wrong form":                      {inside, `{"list":[7]}`, 400},
		"list, sent and not read":                {notIn, `{"list":[{}]}`, 500},
		"at its maximum":                         {inside, `{"list":[{},{}]}`, 200},
		"above its maximum":                      {inside, `{"list":[{},{},{}]}`, 400},
	} {
		if resp := post(t, taking(input, c.decode), "", c.body); resp.StatusCode != c.want {
			t.Errorf("member %s: got %d %s, want %d", name, resp.StatusCode, resp.Body, c.want)
		}
	}
}

func TestHEADIsNoGET(t *testing.T) {
	t.Parallel()
	route := taking(httpapi.Input{}, reading(false))
	route.Pattern = "GET /x"
	l := httpapi.NewLambda([]httpapi.Route{route}, slog.New(slog.DiscardHandler), time.Now)
	for method, want := range map[string]int{"GET": 200, "HEAD": 404, "OPTIONS": 404} {
		resp, err := l.Handle(t.Context(), httpapitest.Event(t, method, "/x", nil, ""))
		if err != nil || resp.StatusCode != want || resp.Body != "" {
			t.Errorf("%s: got %d %q, %v; want %d", method, resp.StatusCode, resp.Body, err, want)
		}
	}
}
