package vcshost

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

// Page is the error for a refusal that came as a page for browsers. The APIs of
// hosts answer with JSON or plain text: so the page is of a proxy, a firewall, or
// a host under maintenance, and says nothing of what was asked. It is ErrNoAnswer.
type Page struct {
	// Status is the page's HTTP status.
	Status int
}

// Error implements error.
func (p *Page) Error() string {
	return fmt.Sprintf("%v: status %d came with a page for browsers, as a proxy or a host under maintenance sends it", ErrNoAnswer, p.Status)
}

// Is makes a Page an ErrNoAnswer.
func (p *Page) Is(target error) bool { return target == ErrNoAnswer }

// apis lets no Page through that would be taken for the host's own refusal.
type apis struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (a apis) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := a.next.RoundTrip(r)
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
	// A page may be a limit all the same, by its header or its words: Explain reads both.
	limit := answer.StatusCode == http.StatusForbidden && asksForPatience(head)
	if _, told := patience(answer.StatusCode, answer.Header, time.Now()); isPage(answer.Header, head) && !told && !limit {
		_ = answer.Body.Close()
		return nil, &Page{answer.StatusCode}
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), answer.Body), answer.Body}
	return answer, nil
}

// isPage reports whether an answer is HTML, by its type or its beginning.
func isPage(header http.Header, head []byte) bool {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	return kind == "text/html" || kind == "application/xhtml+xml" || beginsAsPage(head)
}

// beginsAsPage reports whether a body begins as HTML does, and neither JSON nor a
// text for people.
func beginsAsPage(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff"))), []byte("<"))
}
