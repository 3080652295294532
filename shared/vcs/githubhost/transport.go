package githubhost

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// tagged remembers one installation's responses with their entity tags, and asks
// GitHub whether they have changed. GitHub does not count a request if the response
// is 304 ("Best practices for using the REST API", GitHub documentation).
type tagged struct {
	next http.RoundTripper

	mu   sync.Mutex
	kept map[string]remembered // by address
	size int
}

type remembered struct {
	tag    string
	header http.Header
	body   []byte
}

// Limits, in bytes of bodies.
const (
	// maxKept is the total size of the bodies that are remembered. Above it, all
	// are forgotten.
	maxKept = 2 << 20
	// maxAnswer is the maximum size of a response that is remembered.
	maxAnswer = 1 << 18
	// maxBody is the maximum that is read of a response.
	maxBody = 16 << 20
)

func newTagged(next http.RoundTripper) *tagged {
	return &tagged{next: next, kept: map[string]remembered{}}
}

// RoundTrip implements http.RoundTripper.
func (t *tagged) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		return t.next.RoundTrip(r)
	}
	name := r.URL.String()
	t.mu.Lock()
	before, known := t.kept[name]
	t.mu.Unlock()
	if known {
		r = r.Clone(r.Context())
		r.Header.Set("If-None-Match", before.tag)
	}
	answer, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if known && answer.StatusCode == http.StatusNotModified {
		_ = answer.Body.Close()
		answer.StatusCode, answer.Status = http.StatusOK, "200 OK"
		limits := answer.Header
		answer.Header = before.header.Clone()
		for name, values := range limits {
			answer.Header[name] = values
		}
		answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(before.body)), int64(len(before.body))
		return answer, nil
	}
	return t.remember(name, answer)
}

// remember keeps a response if it has a tag and is small enough. It reads at most
// maxBody of it.
func (t *tagged) remember(name string, answer *http.Response) (*http.Response, error) {
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return nil, err
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	tag := answer.Header.Get("ETag")
	if answer.StatusCode != http.StatusOK || tag == "" || len(body) > maxAnswer {
		return answer, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.size+len(body) > maxKept {
		t.kept, t.size = map[string]remembered{}, 0
	}
	t.size += len(body) - len(t.kept[name].body)
	t.kept[name] = remembered{tag: tag, header: answer.Header.Clone(), body: body}
	return answer, nil
}

// drained reads and closes the responses that are not a success. The library that
// fetches tokens does not close them, and so their connections would stay open.
type drained struct{ next http.RoundTripper }

// maxRefusal is the maximum that is read of a response that is not a success, in
// bytes.
const maxRefusal = 1 << 16

// RoundTrip implements http.RoundTripper.
func (d drained) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := d.next.RoundTrip(r)
	if err != nil || answer.StatusCode < http.StatusBadRequest {
		return answer, err
	}
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusal)) // an error may leave a part of the body, which is enough
	_ = answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}
