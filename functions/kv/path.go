package main

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/vcs"
)

// keyPath divides a path, percent-encoded as it was sent, before the slash in
// front of the key. Without that slash the key is empty, as it is with nothing
// behind it: the gateway has a route of its own for that path, and its documents
// do not say that a slash at the end reaches the function.
var keyPath = regexp.MustCompile(`(?s)^/api/v1/([^/]+)/kv/([^/]+)/(key|cas/key|count/key|size/key|iter|artifact/key)(?:/(.*))?$`)

// keyInOneSegment encodes the key of a request's path as one segment, slashes
// and dots included. http.ServeMux takes a path for a file's: it would redirect
// a//b, a/../b and a/. to what it believes they mean.
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

// segment encodes text, which may be encoded already, such that it is one
// segment of a path and stays one.
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

// linkPath is the path of a link to the next page of a request: as it was sent,
// so that the link is no longer than it must be. A path with a segment of dots is
// written with the key as one segment, since most clients would clean it up.
func linkPath(r *http.Request) string {
	sent := asSent(r).URL.EscapedPath()
	if dotSegment.MatchString(sent) {
		return r.URL.EscapedPath()
	}
	return sent
}

// dotSegment finds a segment that clients take for "here" or "above"
// ("Remove Dot Segments", RFC 3986, 5.2.4), also if its dots are escaped ("URL
// parsing", URL Standard).
var dotSegment = regexp.MustCompile(`(?i)/(\.|%2e){1,2}(/|$)`)

// asSent is r with the URL that its sender wrote.
func asSent(r *http.Request) *http.Request {
	u, ok := r.Context().Value(sentURL{}).(*url.URL)
	if !ok {
		return r
	}
	sent := *r
	sent.URL = u
	return &sent
}

// namespace reads the installation from the path. Ids are decimal; any other
// is unknown, and answered like one.
func namespace(r *http.Request) (vcs.Installation, error) {
	ns := vcs.Installation{VCS: vcs.VCS(r.PathValue("vcs")), ID: vcs.ID(r.PathValue("installation_id"))}
	if strings.Trim(string(ns.ID), "0123456789") != "" {
		return vcs.Installation{}, access.Refuse(access.StepMembership, "the installation of the path is not a number")
	}
	return ns, nil
}

// named is the key that a path names.
type named struct {
	ns  vcs.Installation
	key string
}

func decodeKey(r *http.Request) (named, error) {
	ns, err := namespace(r)
	if err != nil {
		return named{}, err
	}
	key := r.PathValue("key")
	if !utf8.ValidString(key) {
		return named{}, fault.Invalidf("INVALID_KEY", "the key is not valid UTF-8")
	}
	return named{ns, key}, nil
}
