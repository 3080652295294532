package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/login/session"
)

// navigation is the Accept header of browsers when they go to an address.
const navigation = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

func TestBrowserIsToldOfAFailureInAPage(t *testing.T) {
	t.Parallel()
	const again = `<a href="` + address + `/api/v1/github/login">Log in again</a>`
	for name, c := range map[string]struct {
		do     func(t *testing.T, b *browser) string // returns the target
		status int
		want   []string
	}{
		"consent that is refused": {func(t *testing.T, b *browser) string {
			return "/api/github/v1/callback?error=access_denied&error_description=words&state=" + query(t, b.start(t, "github", "")).Get("state")
		}, 400, []string{"<p>This server got no access to your account", "LOGIN_REFUSED", again}},
		"consent that is refused at GitLab": {func(*testing.T, *browser) string {
			return "/api/v1/gitlab/callback?error=access_denied&state=x"
		}, 400, []string{"LOGIN_REFUSED", `<a href="` + address + `/api/v1/gitlab/login">`}},
		"scope that the application lacks": {func(*testing.T, *browser) string {
			return "/api/v1/gitlab/callback?error=invalid_scope"
		}, 400, []string{"add read_api to it at GitLab"}},
		"callback address that GitHub does not know": {func(*testing.T, *browser) string {
			return "/api/github/v1/callback?error=redirect_uri_mismatch"
		}, 400, []string{"does not know the callback address", again}},
		"error that nobody knows": {func(*testing.T, *browser) string {
			return "/api/github/v1/callback?error=%3Cscript%3E&error_description=%3Cscript%3E"
		}, 400, []string{"gave no access to your account", again}},
		"login that was begun at another origin": {func(t *testing.T, b *browser) string {
			target := b.start(t, "github", "")
			b.cookies = map[string]string{} // the cookies belong to the other origin
			return target
		}, 400, []string{"at another address of this server", "LOGIN_NOT_BEGUN", again}},
		"installation that is no number": {func(*testing.T, *browser) string {
			return "/api/github/v1/callback?code=x&installation_id=%3Cb%3E"
		}, 400, []string{"must be the number of an installation", "INVALID_PARAMETER", again}},
		"start with an installation that is no number": {func(*testing.T, *browser) string {
			return "/api/v1/github/login?installation_id=x"
		}, 400, []string{"INVALID_PARAMETER", again}},
		"host that is down": {func(t *testing.T, b *browser) string {
			target := b.start(t, "github", "")
			b.vcs.Down = true
			return target
		}, 500, []string{"This server or the VCS had an error", again}},
		"storage that is busy": {func(t *testing.T, b *browser) string {
			target := b.start(t, "github", "")
			var faults storagetest.Faults
			faults.Choose = func(string) storagetest.Fault { return storagetest.Fault{Kind: storagetest.Throttle} }
			b.build(b.Role.WithFaults(&faults).DynamoDB)
			return target
		}, 503, []string{"THROTTLED", again}},
		"VCS that is not configured": {func(_ *testing.T, b *browser) string {
			delete(b.loginHosts, "gitlab")
			return "/api/v1/gitlab/login"
		}, 404, []string{"it is not configured for it"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newRig(t).browser()
			b.accept = navigation
			got := b.get(t, c.do(t, b))
			if got.StatusCode != c.status {
				t.Fatalf("got %d %s, want %d", got.StatusCode, got.Body, c.status)
			}
			for _, want := range c.want {
				if !strings.Contains(got.Body, want) {
					t.Errorf("the page has not %q: %s", want, got.Body)
				}
			}
			if strings.Contains(got.Body, "<script") || strings.Contains(got.Body, "<b>") || strings.Contains(got.Body, "words") {
				t.Errorf("the page repeats what came with the address: %s", got.Body)
			}
			for name, want := range map[string]string{
				"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
				"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			} {
				if got := http.Header(got.MultiValueHeaders).Values(name); len(got) != 1 || got[0] != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if strings.Count(got.Body, "<a ") > 1 || c.status == 404 && strings.Contains(got.Body, "<a ") {
				t.Errorf("links: %s", got.Body)
			}
			if retry := http.Header(got.MultiValueHeaders).Get("Retry-After"); (c.status == 503) != (retry != "") {
				t.Errorf("Retry-After %q", retry)
			}
			if b.cookies[session.Cookie] != "" {
				t.Error("the browser has got a session")
			}
			if !strings.Contains(b.Log.String(), `"status":`) {
				t.Error("nothing is logged")
			}
		})
	}
}

func TestOnlyWhoAsksForAPageGetsOne(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	for accept, page := range map[string]bool{
		"":                                  false,
		"*/*":                               false,
		"application/json":                  false,
		"application/json, text/html;q=0.5": false,
		"application/json, text/plain, */*": false,
		"text/plain":                        false,
		"text/htmlx":                        false,
		navigation:                          true,
		"text/html":                         true,
		"TEXT/HTML;q=0.9, */*":              true,
		"text/html, application/json;q=0.9": true,
	} {
		b := h.browser()
		b.accept = accept
		got := b.get(t, "/api/github/v1/callback?error=access_denied")
		kind := http.Header(got.MultiValueHeaders).Get("Content-Type")
		if got.StatusCode != 400 || strings.HasPrefix(kind, "text/html") != page || !page && (kind != "application/json" || !strings.HasPrefix(got.Body, `{"id":"LOGIN_REFUSED"`)) {
			t.Errorf("%q: got %d %s %s", accept, got.StatusCode, kind, got.Body)
		}
	}
	// A request that succeeds gets no page: the browser continues, with its
	// cookies.
	b := h.browser()
	b.accept = navigation
	if got := b.get(t, b.start(t, "github", "")); got.StatusCode != 303 || got.Body != "" || b.cookies[session.Cookie] == "" {
		t.Errorf("a login: got %d %s and cookies %v", got.StatusCode, got.Body, b.cookies)
	}
}
