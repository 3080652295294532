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

// Request is one request. It is sent without any change.
type Request struct {
	// Method is the HTTP method.
	Method string
	// Target is the path with its query, as they are sent: no segment is removed and nothing is
	// encoded.
	Target string
	// Authorization is the whole value of the header. If it is empty, the header is not sent.
	Authorization string
	// Session is the text of a session. It is sent as the session's cookie, with the headers
	// that a browser sends from the stack's own page. If it is empty, no cookie is sent.
	Session string
	// Header holds further headers. Without a Content-Type here, the request's Content-Type is
	// JSON, because real clients send it with every method.
	Header http.Header
	// Body may be empty.
	Body string
}

// Response is a response that was read completely, with its request.
type Response struct {
	apiclient.Response

	request *http.Request
}

// connections is the maximum number of idle connections to a stack that are kept for further
// requests.
const connections = 64

// Try sends a request. An error means that the transport failed. A response of any status is no
// error.
func (s *Stack) Try(r Request) (Response, error) {
	req, err := http.NewRequest(r.Method, s.URL, strings.NewReader(r.Body))
	if err != nil {
		return Response{}, err
	}
	path, query, _ := strings.Cut(r.Target, "?")
	// An opaque URL is sent without change. The check against the document finds the operation
	// by Path and RawPath.
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

// Do sends a request and checks the response against the API document.
func (s *Stack) Do(t testing.TB, r Request) Response {
	t.Helper()
	resp, err := s.Try(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Target, err)
	}
	resp.Validate(t)
	return resp
}

// Next returns the target of the next page of a list, or "" after the last page. It ends the
// test if the link leads to another server.
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

// Validate checks the response against the API document.
func (r Response) Validate(t testing.TB) {
	t.Helper()
	contract.Validate(t, r.request, &http.Response{
		StatusCode: r.Status, Header: r.Header, Body: io.NopCloser(strings.NewReader(string(r.Body))),
	})
}

// String returns the response in the form in which a failed test shows it.
func (r Response) String() string {
	return fmt.Sprintf("%s %.200s: %d %.300q", r.request.Method, r.request.URL.RequestURI(), r.Status, r.Body)
}

// Want ends the test unless the response has the status.
func (r Response) Want(t testing.TB, status int) Response {
	t.Helper()
	if r.Status != status {
		t.Fatalf("got %v, want status %d", r, status)
	}
	return r
}

// WantRefused reports an error unless the response is a refusal for authority: 403 without a
// body.
func (r Response) WantRefused(t testing.TB) {
	t.Helper()
	if r.Status != http.StatusForbidden || len(r.Body) != 0 {
		t.Errorf("got %v, want 403 without a body", r)
	}
}

// WantBody ends the test unless the response is a 200 with exactly this JSON text.
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
