package main

import (
	"cmp"
	"fmt"
	"html"
	"net/http"
	"strings"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/vcs"
)

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

// errorPage returns the page for a browser whose request failed. A person reads it
// and must learn what to do. It has the text of the JSON form, which all other
// clients get.
func errorPage(r *http.Request, call httpapi.Call, f httpapi.Failure) httpapi.Page {
	of := cmp.Or(call.VCS, vcs.GitHub) // GitHub's callback has no such path variable
	again := httpapi.Address(r) + "/api/v1/" + string(of) + "/login"
	var e explanation
	switch {
	case f.Data != "":
		e = explanation{strings.ToUpper(f.Data[:1]) + f.Data[1:] + ".", f.ID, again} // the first letter of every fault is ASCII
	case f.Status == http.StatusNotFound:
		e = explanation{"This server does not log people in there: it is not configured for it. Its operator can set it up.", "", ""}
	default:
		e = explanation{"This server or the VCS had an error. Log in again in a moment. If that does not help, inform the operator of this server: its log says why.", "", again}
	}
	return httpapi.Page{Status: f.Status, HTML: e.html()}
}

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
