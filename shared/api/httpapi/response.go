package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
)

// Response is what an endpoint returns for a request that succeeded. The kinds are
// JSON (see ResponseOf), Redirect, File and Page. Each kind sets the headers that it
// needs for caches and for security. What protect sets holds for all of them: no
// cache stores the response, unless its endpoint is Tagged.
type Response interface {
	// write sets headers. It returns the status, and the body, which is nil if the
	// response has none. A response without a body has no content type.
	write(http.Header) (status int, body []byte, err error)
}

// ResponseOf returns v if it is a Response already. For any other value it returns a
// response with v as JSON. Headerer, Statuser and Empty say what v can add to that.
func ResponseOf(v any) Response {
	if r, ok := v.(Response); ok {
		return r
	}
	return jsonResponse{v}
}

// Empty is the result of an operation that returns no data: 200 without a body. A
// result that embeds Empty has no body either, whatever its status.
type Empty struct{}

func (Empty) bodyless() {}

// bodyless is implemented by Empty and by every type that embeds it.
type bodyless interface{ bodyless() }

// Statuser is a result with a status of its own. The status of any other result is
// 200.
type Statuser interface {
	// Status returns a status from 200 to 299: refusals are faults, and redirects
	// have a kind of their own.
	Status() int
}

// Headerer is a result that also sets response headers.
type Headerer interface {
	// SetHeaders adds to the headers of the response.
	SetHeaders(http.Header)
}

const contentType = "application/json"

// jsonResponse writes a value as JSON, without HTML escapes.
type jsonResponse struct{ value any }

func (j jsonResponse) write(h http.Header) (int, []byte, error) {
	if v, ok := j.value.(Headerer); ok {
		v.SetHeaders(h)
	}
	status := http.StatusOK
	if v, ok := j.value.(Statuser); ok {
		status = v.Status()
	}
	if _, ok := j.value.(bodyless); ok {
		return status, nil, nil
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(j.value); err != nil {
		return 0, nil, fmt.Errorf("encode response: %w", err)
	}
	h.Set("Content-Type", contentType)
	return status, bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// Redirect sends the client to another address. The server at that address does not
// learn the address of this one.
type Redirect struct {
	// Status is 302 if the client may repeat its GET at the other address, 303 if it
	// must use GET there whatever the method was, and 307 if it must use the same
	// method and body.
	Status int
	// Location is an absolute URL.
	Location string
	// Cookies are set in the browser.
	Cookies []*http.Cookie
	// Tags are the entity tags of what is at Location. The first one is sent. If the
	// client of a GET holds one of them, the response is 304 and not a redirect.
	Tags []Tag
}

func (r Redirect) write(h http.Header) (int, []byte, error) {
	h.Set("Location", r.Location)
	h.Set("Referrer-Policy", "no-referrer")
	if len(r.Tags) > 0 {
		h.Set("ETag", string(r.Tags[0]))
	}
	for _, c := range r.Cookies {
		h.Add("Set-Cookie", c.String())
	}
	return r.Status, nil, nil
}

// File is a document of this server, sent as it is.
type File struct {
	// ContentType is the media type of Body. Browsers do not guess another one.
	ContentType string
	// Body is the content.
	Body []byte
}

func (f File) write(h http.Header) (int, []byte, error) {
	h.Set("Content-Type", f.ContentType)
	return http.StatusOK, f.Body, nil
}

// Page is an HTML page for a person. It may hold text and links: the browser loads
// nothing else for it, runs no script of it, sends no form, and shows it in no frame.
type Page struct {
	// Status is the status of the response. A page of Route.ErrorPage has that of the
	// failure.
	Status int
	// HTML is the whole page. Text from elsewhere must be escaped in it.
	HTML string
}

// pagePolicy allows a page nothing: it is only text and links (Content Security
// Policy Level 3, W3C).
const pagePolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (p Page) write(h http.Header) (int, []byte, error) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	return p.Status, []byte(p.HTML), nil
}

// send writes a response to a request.
func send(rec *recorder, r *http.Request, response Response) {
	if to, ok := response.(Redirect); ok && held(r, to.Tags) {
		response = notModified{to.Tags[0]}
	}
	headers, status, body, err := written(response)
	if err != nil {
		rec.err = err
		status, body = http.StatusInternalServerError, nil
	}
	maps.Copy(rec.Header(), headers)
	rec.WriteHeader(status)
	if body != nil {
		rec.Write(body)
	}
}

// written returns what a response consists of. A response that cannot be written has
// no headers: those that its write has set are for a success. They would let a cache
// store the error.
func written(response Response) (headers http.Header, status int, body []byte, err error) {
	defer recovered(&err)
	h := http.Header{}
	if status, body, err = response.write(h); err != nil {
		return nil, 0, nil, err
	}
	return h, status, body, nil
}
