//go:build unix

package journey

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/apiclient"
	"github.com/opsplane/opsplane/infra/test/contract"
	"github.com/opsplane/opsplane/shared/login/session"
)

// Request is one request, sent exactly as it stands.
type Request struct {
	// Method is the HTTP method.
	Method string
	// Target is the path with its query as they go over the wire: no segment
	// is cleaned away and nothing is encoded.
	Target string
	// Authorization is the whole header; empty sends none.
	Authorization string
	// Session is the text of a session, sent as its cookie with the headers of a
	// browser's request from the stack's own page; empty sends none.
	Session string
	// Header holds further headers. Without a Content-Type it is JSON, as
	// real clients send it with every method.
	Header http.Header
	// Body may be empty.
	Body string
}

// Response is an answer, read to its end, and the request that it answers.
type Response struct {
	apiclient.Response

	request *http.Request
}

// connections is how many idle connections to a stack are kept for further
// requests.
const connections = 64

// Try sends a request. The error is one of transport; no status is an error.
func (s *Stack) Try(r Request) (Response, error) {
	req, err := http.NewRequest(r.Method, s.URL, strings.NewReader(r.Body))
	if err != nil {
		return Response{}, err
	}
	path, query, _ := strings.Cut(r.Target, "?")
	// An opaque URL goes out as it is; Path and RawPath tell the document's
	// check which operation it was.
	req.URL.Opaque, req.URL.RawQuery = path, query
	req.URL.Path, req.URL.RawPath = path, path
	if decoded, err := url.PathUnescape(path); err == nil {
		req.URL.Path = decoded
	}
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Authorization != "" {
		req.Header.Set("Authorization", r.Authorization)
	}
	if r.Session != "" {
		req.AddCookie(session.Remember(r.Session))
		if req.Header.Get("Origin") == "" && req.Header.Get("Sec-Fetch-Site") == "" {
			req.Header.Set("Origin", s.URL)
			req.Header.Set("Sec-Fetch-Site", "same-origin")
		}
	}
	resp, err := apiclient.Send(s.http, req)
	return Response{Response: resp, request: req}, err
}

// Do sends a request and checks the answer against the API document.
func (s *Stack) Do(t testing.TB, r Request) Response {
	t.Helper()
	resp, err := s.Try(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Target, err)
	}
	resp.Validate(t)
	return resp
}

// Next returns the target of the page of a list behind this one, and nothing
// behind the last. It ends the test if the link leads to another server.
func (r Response) Next(t testing.TB) (target string) {
	t.Helper()
	link := r.Links().Next
	if link == "" {
		return ""
	}
	target, err := apiclient.Target(r.request.URL.Scheme+"://"+r.request.URL.Host, link)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// Validate checks the answer against the API document.
func (r Response) Validate(t testing.TB) {
	t.Helper()
	contract.Validate(t, r.request, &http.Response{
		StatusCode: r.Status, Header: r.Header, Body: io.NopCloser(strings.NewReader(string(r.Body))),
	})
}

// String is the answer as a failed test shows it.
func (r Response) String() string {
	return fmt.Sprintf("%s %.200s: %d %.300q", r.request.Method, r.request.URL.RequestURI(), r.Status, r.Body)
}

// Want ends the test unless the answer has the status.
func (r Response) Want(t testing.TB, status int) Response {
	t.Helper()
	if r.Status != status {
		t.Fatalf("got %v, want status %d", r, status)
	}
	return r
}

// WantRefused reports an error unless the answer is the one refusal there is:
// 403 without a body.
func (r Response) WantRefused(t testing.TB) {
	t.Helper()
	if r.Status != http.StatusForbidden || len(r.Body) != 0 {
		t.Errorf("got %v, want 403 without a body", r)
	}
}

// WantBody ends the test unless the answer is 200 with exactly this JSON text.
func (r Response) WantBody(t testing.TB, body string) Response {
	t.Helper()
	if r.Status != http.StatusOK || string(r.Body) != body {
		t.Fatalf("got %v, want 200 %s", r, body)
	}
	return r
}

// Read decodes the JSON body.
func (r Response) Read(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(r.Body, into); err != nil {
		t.Fatalf("got %v, want JSON: %v", r, err)
	}
}
