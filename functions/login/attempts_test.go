package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
)

// countHost counts the requests to the host from now on.
func (h *rig) countHost() *atomic.Int32 {
	var asked atomic.Int32
	next := h.vcs.Config.Handler
	h.vcs.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		next.ServeHTTP(w, r)
	})
	return &asked
}

// from ends a login, from an address, with an invented code. It returns the status.
func (h *rig) from(t *testing.T, address string) int {
	t.Helper()
	b := h.browser()
	q := query(t, b.start(t, "github", ""))
	q.Set("code", "made-up")
	e := httpapitest.Event(t, "GET", "/api/github/v1/callback?"+q.Encode(), nil, "")
	e.RequestContext.Identity.SourceIP = address
	e.MultiValueHeaders["Cookie"] = []string{loginCookie + "=" + b.cookies[loginCookie]}
	got := h.Send(t, e)
	if got.StatusCode == http.StatusTooManyRequests && (!strings.Contains(got.Body, "TOO_MANY_LOGINS") || len(got.MultiValueHeaders["Retry-After"]) != 1) {
		t.Errorf("got %s and headers %v, want a reason and a Retry-After", got.Body, got.MultiValueHeaders)
	}
	return got.StatusCode
}

func TestCallbackWithoutALoginUnderWayAsksNoHost(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	b := h.browser()
	begun := query(t, b.start(t, "github", ""))
	asked := h.countHost()
	for _, target := range []string{
		"/api/github/v1/callback?code=x",
		"/api/github/v1/callback?code=x&state=y",
		"/api/github/v1/callback?code=x&state=",
		"/api/github/v1/callback?code=x&state=" + begun.Get("state") + "A",
		"/api/github/v1/callback?state=" + begun.Get("state"),
		"/api/github/v1/callback?code=&state=" + begun.Get("state"),
		"/api/v1/gitlab/callback?code=x&state=gitlab_login",
		"/api/v1/gitlab/callback?code=x&state=" + begun.Get("state"),
	} {
		h.browser().get(t, target)
		b.get(t, target)
	}
	h.browser().get(t, "/api/github/v1/callback?"+begun.Encode()) // another browser, without the cookie
	if n := asked.Load(); n != 0 {
		t.Errorf("got %d requests to the host, want none", n)
	}
	if got := h.Env.Dump("SessionsTable"); got != "" && strings.Contains(got, "RATE#") {
		t.Errorf("what asks no host is counted: %s", got)
	}
}

func TestStateAsksTheHostOnce(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	b := h.browser()
	q := query(t, b.start(t, "github", ""))
	q.Set("code", "made-up")
	asked := h.countHost()
	for range 5 {
		b.get(t, "/api/github/v1/callback?"+q.Encode())
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("got %d requests to the host for five callbacks with one state, want 1", n)
	}
}

func TestOneAddressAsksTheHostABoundedNumberOfTimes(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.Clock.Set(h.Clock.Now().Truncate(attempts(failuresInTests).Window))
	asked := h.countHost()
	for n := range failuresInTests + 5 {
		want := http.StatusBadRequest
		if n >= failuresInTests {
			want = http.StatusTooManyRequests
		}
		if got := h.from(t, "2001:db8::1:"+strings.Repeat("f", 1+n%4)); got != want {
			t.Errorf("attempt %d: got %d, want %d", n, got, want)
		}
	}
	if n := asked.Load(); int(n) != failuresInTests {
		t.Errorf("got %d requests to the host, want %d", n, failuresInTests)
	}
	if got := h.from(t, "2001:db8:0:1::1"); got != http.StatusBadRequest {
		t.Errorf("another address: got %d, want 400", got)
	}
	h.Clock.Add(10 * time.Minute)
	if got := h.from(t, "2001:db8::1"); got != http.StatusBadRequest {
		t.Errorf("ten minutes later: got %d, want 400", got)
	}
}

// A login that succeeds does not count against others with the same address.
func TestLoginsThatSucceedAreNotCounted(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	for range failuresInTests + 2 {
		b := h.browser()
		if got := b.get(t, b.start(t, "github", "")); got.StatusCode != http.StatusSeeOther {
			t.Fatalf("got %d %s, want 303", got.StatusCode, got.Body)
		}
	}
}

func TestLoginStandsWhereItCannotBeTakenOutOfTheCount(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	var faults storagetest.Faults
	for n := range 30 {
		faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: n + 2, Kind: storagetest.ServerError})
	}
	h.build(h.Role.WithFaults(&faults).DynamoDB)
	b := h.browser()
	if got := b.get(t, b.start(t, "github", "")); got.StatusCode != http.StatusSeeOther || !strings.Contains(h.Log.String(), "login counted as failed") {
		t.Errorf("got %d %s, want 303 and a line of the log: %s", got.StatusCode, got.Body, h.Log.String())
	}
}

func TestAddressIsThatOfOneCaller(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2::9": "2001:db8:1:2::/64", "": "unknown", "odd": "unknown",
	} {
		if got := site(address); got != want {
			t.Errorf("%q: got %s, want %s", address, got, want)
		}
	}
}
