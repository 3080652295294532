package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"

	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// pages answers a browser that comes to a failure of the function with a page: a
// person reads it, who has to be told what to do. It has the status and the words
// of the JSON form, which all others get.
func (l *login) pages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !wantsPage(r.Header) {
			next.ServeHTTP(w, r)
			return
		}
		held := &heldBack{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(held, r)
		if held.status < http.StatusBadRequest {
			held.release()
			return
		}
		page(w, held.status, l.explanation(r, held.status, held.body.Bytes()))
	})
}

// heldBack holds an answer back until its status is known.
type heldBack struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (h *heldBack) WriteHeader(status int) { h.status = status }

// Write implements http.ResponseWriter.
func (h *heldBack) Write(b []byte) (int, error) { return h.body.Write(b) }

func (h *heldBack) release() {
	h.ResponseWriter.WriteHeader(h.status)
	_, _ = h.ResponseWriter.Write(h.body.Bytes())
}

// wantsPage reports whether a request asks for HTML by name before JSON, as
// browsers do when they go to an address, and no other client does.
func wantsPage(h http.Header) bool {
	page, json := -1, -1
	for i, entry := range strings.Split(strings.Join(h.Values("Accept"), ","), ",") {
		switch media, _, _ := strings.Cut(strings.ToLower(entry), ";"); strings.TrimSpace(media) {
		case "text/html":
			page = i
		case "application/json":
			json = i
		}
	}
	return page >= 0 && (json < 0 || page < json)
}

// explanation is what the page says.
type explanation struct {
	// What happened, in a sentence or two.
	What string
	// ID is what the JSON form has as its id; may be empty.
	ID string
	// Again is the http or https address where the login begins anew; empty where
	// that is of no use.
	Again string
}

func (l *login) explanation(r *http.Request, status int, body []byte) explanation {
	vcs := cmp.Or(r.PathValue("vcs"), "github") // GitHub's callback has it not
	again := httpapi.Address(r) + "/api/v1/" + vcs + "/login"
	var told struct{ ID, Data string }
	_ = json.Unmarshal(body, &told) // empty where it is no JSON
	switch {
	case told.Data != "":
		return explanation{strings.ToUpper(told.Data[:1]) + told.Data[1:] + ".", told.ID, again} // its first letter is ASCII, as of all faults
	case status == http.StatusNotFound:
		return explanation{"This server does not log people in there: it is not configured for it. Its operator can set it up.", "", ""}
	}
	return explanation{"This server or the VCS had an error. Log in again in a moment. If that does not help, tell the operator of this server: its log says why.", "", again}
}

// policy lets the page do nothing: it is text and a link.
const policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// html is the page. It is put together by hand: the library's templates would
// make the function half as large again, which each cold start pays for.
func (e explanation) html() string {
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n" +
		"<title>You are not logged in</title>\n<h1>You are not logged in</h1>\n")
	fmt.Fprintf(&b, "<p>%s</p>\n", html.EscapeString(e.What))
	if e.Again != "" {
		fmt.Fprintf(&b, "<p><a href=\"%s\">Log in again</a></p>\n", html.EscapeString(e.Again))
	}
	if e.ID != "" {
		fmt.Fprintf(&b, "<p><small>%s</small></p>\n", html.EscapeString(e.ID))
	}
	return b.String()
}

func page(w http.ResponseWriter, status int, e explanation) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, e.html()) // fails only if nobody listens any more
}
