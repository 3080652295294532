package httpapi_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
)

// request sends one request with headers to a function with this public route.
func request(t *testing.T, route httpapi.Route, headers map[string]string) events.APIGatewayProxyResponse {
	t.Helper()
	route.Rule = access.Rule{Public: true}
	method, path, _ := strings.Cut(route.Pattern, " ")
	e := httpapitest.Event(t, method, path, nil, "")
	for name, value := range headers {
		e.MultiValueHeaders[name] = []string{value}
	}
	l := httpapi.NewLambda([]httpapi.Route{route}, slog.New(slog.DiscardHandler), time.Now)
	resp, err := l.Handle(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// checkHeaders fails unless each header has the one value, or is absent if the value
// is empty.
func checkHeaders(t *testing.T, name string, resp events.APIGatewayProxyResponse, want map[string]string) {
	t.Helper()
	for header, value := range want {
		if got := strings.Join(resp.MultiValueHeaders[http.CanonicalHeaderKey(header)], "|"); got != value {
			t.Errorf("%s: header %s is %q, want %q", name, header, got, value)
		}
	}
}

// unsendable is a result with headers that JSON cannot hold.
type unsendable struct{ F func() }

func (unsendable) SetHeaders(h http.Header) { h.Set("Location", "https://example.com/") }

// panicking is a result whose headers cannot be set.
type panicking struct{}

func (panicking) SetHeaders(http.Header) { panic("boom") }

// returning is an endpoint that returns the response.
func returning[R httpapi.Response](response R) httpapi.Endpoint {
	return httpapi.Respond(httpapi.NoInput, func(context.Context, httpapi.Call, struct{}) (R, error) { return response, nil })
}

func TestEachKindOfResponseHasItsOwnHeaders(t *testing.T) {
	t.Parallel()
	moved := httpapi.Redirect{Status: 307, Location: "https://example.com/", Cookies: []*http.Cookie{{Name: "a", Value: "b"}}}
	for name, c := range map[string]struct {
		endpoint httpapi.Endpoint
		status   int
		body     string
		headers  map[string]string
	}{
		"redirect": {returning(moved), 307, "", map[string]string{
			"Location": "https://example.com/", "Referrer-Policy": "no-referrer", "Set-Cookie": "a=b", "Cache-Control": "no-store", "Content-Type": "", "ETag": "",
		}},
		"file": {returning(httpapi.File{ContentType: "image/png", Body: []byte("x")}), 200, "x", map[string]string{
			"Content-Type": "image/png", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "ETag": "",
		}},
		"page": {returning(httpapi.Page{Status: 200, HTML: "<p>x"}), 200, "<p>x", map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		}},
		"value": {returning(httpapi.ResponseOf(7)), 200, "7", map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"}},
		"value that JSON cannot hold": {returning(httpapi.ResponseOf(func() {})), 500, "", map[string]string{
			"Content-Type": "", "Cache-Control": "no-store",
		}},
		"value with headers that JSON cannot hold": {returning(httpapi.ResponseOf(unsendable{})), 500, "", map[string]string{
			"Location": "", "Content-Type": "", "Cache-Control": "no-store",
		}},
		"value whose headers panic": {returning(httpapi.ResponseOf(panicking{})), 500, "", map[string]string{"Content-Type": "", "Cache-Control": "no-store"}},
		"tagged value that JSON cannot hold": {httpapi.Tagged(httpapi.NoInput,
			func(context.Context, httpapi.Call, struct{}) (httpapi.Tag, error) { return httpapi.NewTag("v1"), nil },
			func(context.Context, httpapi.Call, struct{}) (unsendable, error) { return unsendable{}, nil },
		), 500, "", map[string]string{
			"ETag": "", "Location": "", "Content-Type": "", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		}},
		"nothing": {returning(httpapi.ResponseOf(httpapi.Empty{})), 200, "", map[string]string{"Content-Type": ""}},
	} {
		resp := request(t, httpapi.Route{Pattern: "GET /x", Endpoint: c.endpoint}, nil)
		if resp.StatusCode != c.status || resp.Body != c.body {
			t.Errorf("%s: got %d %q, want %d %q", name, resp.StatusCode, resp.Body, c.status, c.body)
		}
		checkHeaders(t, name, resp, c.headers)
	}
}

func TestClientThatHoldsTheContentGets304(t *testing.T) {
	t.Parallel()
	worked := false
	tagged := httpapi.Tagged(httpapi.NoInput,
		func(context.Context, httpapi.Call, struct{}) (httpapi.Tag, error) { return httpapi.NewTag("v1"), nil },
		func(context.Context, httpapi.Call, struct{}) (int, error) { worked = true; return 7, nil })
	redirect := returning(httpapi.Redirect{Status: 302, Location: "https://example.com/", Tags: []httpapi.Tag{httpapi.NewTag("v1"), httpapi.NewTag(`"s3"`)}})
	for sent, want := range map[string]struct{ held, heldByRedirect bool }{
		"": {}, `"v2"`: {}, `v1`: {}, `"s3"`: {false, true}, `"v1"`: {true, true}, `W/"v1"`: {true, true}, `"v2" , "v1"`: {true, true}, "*": {true, true},
	} {
		headers := map[string]string{"If-None-Match": sent}
		worked = false
		resp := request(t, httpapi.Route{Pattern: "GET /x", Endpoint: tagged}, headers)
		status, body, kind := 200, "7", "application/json"
		if want.held {
			status, body, kind = 304, "", ""
		}
		if resp.StatusCode != status || resp.Body != body || worked == want.held {
			t.Errorf("%q: got %d %q, the operation ran: %t; want %d", sent, resp.StatusCode, resp.Body, worked, status)
		}
		checkHeaders(t, sent, resp, map[string]string{"ETag": `"v1"`, "Cache-Control": "private, no-cache", "Content-Type": kind})

		status, location := 302, "https://example.com/"
		if want.heldByRedirect {
			status, location = 304, ""
		}
		resp = request(t, httpapi.Route{Pattern: "GET /x", Endpoint: redirect}, headers)
		if resp.StatusCode != status || resp.Body != "" {
			t.Errorf("redirect, %q: got %d %q, want %d", sent, resp.StatusCode, resp.Body, status)
		}
		checkHeaders(t, sent, resp, map[string]string{"ETag": `"v1"`, "Cache-Control": "no-store", "Location": location})
		if resp = request(t, httpapi.Route{Pattern: "POST /x", Endpoint: redirect}, headers); resp.StatusCode != 302 {
			t.Errorf("redirect of a POST, %q: got %d, want 302", sent, resp.StatusCode)
		}
	}
	failing := httpapi.Tagged(httpapi.NoInput,
		func(context.Context, httpapi.Call, struct{}) (httpapi.Tag, error) { return "", fault.ErrNotFound },
		func(context.Context, httpapi.Call, struct{}) (int, error) { return 7, nil })
	resp := request(t, httpapi.Route{Pattern: "GET /x", Endpoint: failing}, map[string]string{"If-None-Match": "*"})
	checkHeaders(t, "no tag", resp, map[string]string{"ETag": "", "Cache-Control": "no-store"})
	if resp.StatusCode != 404 {
		t.Errorf("without a tag: got %d, want 404", resp.StatusCode)
	}
}

func TestFailureIsAPageOnlyForABrowserAndWhereTheRouteHasOne(t *testing.T) {
	t.Parallel()
	fails := httpapi.JSON(httpapi.NoInput, func(context.Context, httpapi.Call, struct{}) (int, error) { return 0, fault.Busyf("BUSY", "try again") })
	page := func(_ *http.Request, _ httpapi.Call, f httpapi.Failure) httpapi.Page {
		return httpapi.Page{HTML: "<p>" + f.ID + f.Data}
	}
	broken := func(*http.Request, httpapi.Call, httpapi.Failure) httpapi.Page { panic("boom") }
	const inJSON = `{"id":"BUSY","data":"try again"}`
	for name, c := range map[string]struct {
		page   func(*http.Request, httpapi.Call, httpapi.Failure) httpapi.Page
		accept string
		body   string
	}{
		"browser":                   {page, "text/html,*/*;q=0.8", "<p>BUSYtry again"},
		"browser, without a page":   {nil, "text/html,*/*;q=0.8", inJSON},
		"browser, page that panics": {broken, "text/html,*/*;q=0.8", inJSON},
		"client that prefers JSON":  {page, "application/json, text/html", inJSON},
		"client that accepts all":   {page, "*/*", inJSON},
	} {
		resp := request(t, httpapi.Route{Pattern: "GET /x", Endpoint: fails, ErrorPage: c.page}, map[string]string{"Accept": c.accept})
		if resp.StatusCode != 503 || resp.Body != c.body {
			t.Errorf("%s: got %d %q, want 503 %q", name, resp.StatusCode, resp.Body, c.body)
		}
		checkHeaders(t, name, resp, map[string]string{"Retry-After": "1", "Cache-Control": "no-store"})
	}
}

func TestPanicInAnErrorPageIsLoggedBesideTheFailure(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	l := httpapi.NewLambda([]httpapi.Route{{
		Pattern: "GET /x", Rule: access.Rule{Public: true},
		Endpoint:  httpapi.JSON(httpapi.NoInput, func(context.Context, httpapi.Call, struct{}) (int, error) { return 0, fault.Invalidf("ODD", "424242") }),
		ErrorPage: func(*http.Request, httpapi.Call, httpapi.Failure) httpapi.Page { panic("boom") },
	}}, slog.New(slog.NewJSONHandler(&log, nil)), time.Now)
	e := httpapitest.Event(t, "GET", "/x", nil, "")
	e.MultiValueHeaders["Accept"] = []string{"text/html"}
	resp, err := l.Handle(t.Context(), e)
	if err != nil || resp.StatusCode != 400 || resp.Body != `{"id":"ODD","data":"424242"}` {
		t.Errorf("got %d %s, %v; want the failure as JSON", resp.StatusCode, resp.Body, err)
	}
	if got := log.String(); !strings.Contains(got, "boom") || !strings.Contains(got, `"fault":"ODD"`) || !strings.Contains(got, `"level":"ERROR"`) || strings.Contains(got, "424242") {
		t.Errorf("log line: %s", got)
	}
}
