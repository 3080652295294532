package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
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
	html, json := -1, -1
	for i, entry := range strings.Split(strings.Join(h.Values("Accept"), ","), ",") {
		switch media, _, _ := strings.Cut(strings.ToLower(entry), ";"); strings.TrimSpace(media) {
		case "text/html":
			html = i
		case "application/json":
			json = i
		}
	}
	return html >= 0 && (json < 0 || html < json)
}

// explanation is what the page says.
type explanation struct {
	// What happened, in a sentence or two.
	What string
	// ID is what the JSON form has as its id; may be empty.
	ID string
	// Again is where the login begins anew; empty where that is of no use.
	Again string
}

func (l *login) explanation(r *http.Request, status int, body []byte) explanation {
	vcs := cmp.Or(r.PathValue("vcs"), "github") // GitHub's callback has it not
	again := l.base(r) + "/api/v1/" + vcs + "/login"
	var told struct{ ID, Data string }
	_ = json.Unmarshal(body, &told) // empty where it is no JSON
	switch {
	case told.Data != "":
		return explanation{told.Data + ".", told.ID, again}
	case status == http.StatusNotFound:
		return explanation{"This server does not log people in there: it is not configured for it. Its operator can set it up.", "", ""}
	}
	return explanation{"This server or the VCS had an error. Log in again in a moment. If that does not help, tell the operator of this server: its log says why.", "", again}
}

// policy lets the page do nothing: it is text and a link.
const policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var layout = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>You are not logged in</title>
<h1>You are not logged in</h1>
<p>{{.What}}</p>
{{- with .Again}}
<p><a href="{{.}}">Log in again</a></p>
{{- end}}
{{- with .ID}}
<p><small>{{.}}</small></p>
{{- end}}
</html>
`))

func page(w http.ResponseWriter, status int, e explanation) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	_ = layout.Execute(w, e) // fails only if nobody listens any more
}
