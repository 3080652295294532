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
	"github.com/opsplane/opsplane/shared/vcs"
)

// pages responds to a browser with a page if a request fails. A person reads it and
// must learn what to do. The page has the status and the text of the JSON form,
// which all other clients get.
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

// heldBack keeps a response until its status is known.
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

// wantsPage reports whether a request prefers HTML to JSON and names HTML in its
// Accept header. Browsers do so when they go to an address; no other client does.
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

// explanation is the content of the page.
type explanation struct {
	// What says what happened, in one or two sentences.
	What string
	// ID is the id of the JSON form. It may be empty.
	ID string
	// Again is the http or https address at which the login begins again. It is
	// empty if that does not help.
	Again string
}

func (l *login) explanation(r *http.Request, status int, body []byte) explanation {
	system := cmp.Or(vcs.VCS(r.PathValue("vcs")), vcs.GitHub) // GitHub's callback has no such path value
	again := httpapi.Address(r) + "/api/v1/" + string(system) + "/login"
	var told struct{ ID, Data string }
	_ = json.Unmarshal(body, &told) // empty if it is not JSON
	switch {
	case told.Data != "":
		return explanation{strings.ToUpper(told.Data[:1]) + told.Data[1:] + ".", told.ID, again} // the first letter of every fault is ASCII
	case status == http.StatusNotFound:
		return explanation{"This server does not log people in there: it is not configured for it. Its operator can set it up.", "", ""}
	}
	return explanation{"This server or the VCS had an error. Log in again in a moment. If that does not help, tell the operator of this server: its log says why.", "", again}
}

// policy allows the page nothing: it is only text and a link.
const policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// html returns the page. The code writes the HTML itself: the library's templates
// would make the function half as large again, and so each cold start slower.
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
	_, _ = io.WriteString(w, e.html()) // fails only if the caller is gone
}
