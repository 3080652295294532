package main

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// keyPath splits a path, percent-encoded as it was sent, before the slash in front
// of the key. The key is empty if that slash is missing or nothing follows it. The
// gateway has a route of its own for the path without the slash, because its
// documents do not say that a slash at the end reaches the function.
var keyPath = regexp.MustCompile(`(?s)^/api/v1/([^/]+)/kv/([^/]+)/(key|cas/key|count/key|size/key|iter|artifact/key)(?:/(.*))?$`)

// keyInOneSegment encodes the key in a request's path as one segment, including
// slashes and dots. http.ServeMux treats a path like a file path: it would redirect
// a//b, a/../b and a/. to a cleaned path.
func keyInOneSegment(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, ok := rewrite(r.URL); ok {
			sent := r.URL
			r = r.WithContext(context.WithValue(r.Context(), sentURL{}, sent))
			r.URL = u
		}
		next.ServeHTTP(w, r)
	})
}

func rewrite(sent *url.URL) (*url.URL, bool) {
	raw := sent.RawPath
	if raw == "" {
		raw = sent.EscapedPath()
	}
	m := keyPath.FindStringSubmatch(raw)
	if m == nil {
		return nil, false
	}
	u := *sent
	u.RawPath = "/api/v1/" + segment(m[1]) + "/kv/" + segment(m[2]) + "/" + m[3] + "/" + segment(m[4])
	var err error
	u.Path, err = url.PathUnescape(u.RawPath)
	return &u, err == nil
}

// segment encodes text as one segment of a path that stays one segment. text may
// already be encoded.
func segment(text string) string {
	if decoded, err := url.PathUnescape(text); err == nil {
		text = decoded
	}
	text = url.PathEscape(text)
	if text == "." || text == ".." {
		text = strings.ReplaceAll(text, ".", "%2E")
	}
	return text
}

// sentURL is the context key of the URL as it was sent.
type sentURL struct{}

// linkPath returns the path of a link to the next page of a request. It is the path
// as it was sent, so that the link is no longer than necessary. If the path has a
// segment of dots, the key is written as one segment, because most clients would
// clean the path.
func linkPath(r *http.Request) string {
	sent := asSent(r).URL.EscapedPath()
	if dotSegment.MatchString(sent) {
		return r.URL.EscapedPath()
	}
	return sent
}

// dotSegment finds a segment that clients take for "here" or "above" ("Remove Dot
// Segments", RFC 3986, 5.2.4). Its dots may be escaped ("URL parsing", URL
// Standard).
var dotSegment = regexp.MustCompile(`(?i)/(\.|%2e){1,2}(/|$)`)

// asSent returns r with the URL as it was sent.
func asSent(r *http.Request) *http.Request {
	u, ok := r.Context().Value(sentURL{}).(*url.URL)
	if !ok {
		return r
	}
	sent := *r
	sent.URL = u
	return &sent
}

// decodeKey returns the key that a path names.
func decodeKey(r *http.Request) (string, error) {
	key := r.PathValue("key")
	if !utf8.ValidString(key) {
		return "", fault.Invalidf("INVALID_KEY", "the key is not valid UTF-8")
	}
	return key, nil
}

// fromQuery returns the decoder of an operation whose key is in the path, and whose
// parameters are in the query.
func fromQuery[Q any](read func(key string, p parameters) (Q, error)) func(*http.Request) (Q, error) {
	return func(r *http.Request) (q Q, err error) {
		key, err := decodeKey(r)
		if err != nil {
			return q, err
		}
		return read(key, httpapi.NewQuery(r))
	}
}

// fromBody returns the decoder of an operation whose key is in the path, and whose
// parameters are in the body.
func fromBody[Q any](read func(key string, b *httpapi.Body) (Q, error)) func(*http.Request) (Q, error) {
	return func(r *http.Request) (q Q, err error) {
		key, err := decodeKey(r)
		if err != nil {
			return q, err
		}
		return read(key, httpapi.NewBody(r))
	}
}
