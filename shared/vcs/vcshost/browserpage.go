package vcshost

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

// BrowserPage is the error for a refusal that came as a page for browsers. The APIs
// of hosts respond with JSON or plain text. So the page comes from a proxy, a
// firewall, or a host under maintenance, and says nothing about the request. A
// BrowserPage is an ErrNoAnswer.
type BrowserPage struct {
	// Status is the page's HTTP status.
	Status int
}

// Error implements error.
func (p *BrowserPage) Error() string {
	return fmt.Sprintf("%v: status %d came with a page for browsers, as a proxy or a host under maintenance sends it", ErrNoAnswer, p.Status)
}

// Is makes a BrowserPage an ErrNoAnswer.
func (p *BrowserPage) Is(target error) bool { return target == ErrNoAnswer }

// noPages turns a refusal that is a page for browsers into a BrowserPage, so that
// no caller takes it for a refusal of the host.
type noPages struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (n noPages) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := n.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch answer.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
	default:
		return answer, nil
	}
	head, err := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
	if err != nil {
		_ = answer.Body.Close()
		return nil, err
	}
	// A page can still be a limit. Its header or its text says so, and ReadRefusal
	// reads both.
	limit := answer.StatusCode == http.StatusForbidden && asksForPatience(head)
	if _, told := patience(answer.StatusCode, answer.Header, time.Now()); isPage(answer.Header, head) && !told && !limit {
		_ = answer.Body.Close()
		return nil, &BrowserPage{answer.StatusCode}
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), answer.Body), answer.Body}
	return answer, nil
}

// isPage reports whether a response is HTML, by its type or its beginning.
func isPage(header http.Header, head []byte) bool {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	return kind == "text/html" || kind == "application/xhtml+xml" || beginsAsPage(head)
}

// beginsAsPage reports whether a body begins with "<". HTML does. JSON and plain
// text do not.
func beginsAsPage(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff"))), []byte("<"))
}
