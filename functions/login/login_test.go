package main

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/vcs"
)

// ofSession is a caller with a session of the person.
var ofSession = access.Caller{Kind: access.KindSession, Account: vcs.Account{VCS: vcs.GitHub, ID: "583231"}}

func TestPersonLogsIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vcs               vcs.VCS
		query, back, want string
	}{
		"GitHub":                            {"github", "", "", address + "/"},
		"GitLab":                            {"gitlab", "", "", address + "/"},
		"with an installation at the start": {"github", "?installation_id=7", "", address + "/?installation_id=7"},
		"with an installation at the end":   {"github", "", "&installation_id=8", address + "/?installation_id=8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRig(t)
			b := h.browser()
			got := b.get(t, b.start(t, c.vcs, c.query)+c.back)
			if got.StatusCode != 303 || got.Location() != c.want || got.Body != "" {
				t.Fatalf("got %d to %q %s, want 303 to %q", got.StatusCode, got.Location(), got.Body, c.want)
			}
			u, ok := b.user(t)
			if !ok || u.Name != string(c.vcs)+":583231" || u.Identities[c.vcs].Login != "ann" || b.cookies[loginCookie] != "" {
				t.Errorf("got user %+v, %t and cookies %v; want ann, and the login's cookie gone", u, ok, b.cookies)
			}
			// The person can see 1 and 2, and the server knows 1.
			want := []vcs.Installation{{VCS: c.vcs, ID: "1"}}
			if m := u.MembershipsFor(access.Caller{Kind: access.KindSession, Account: vcs.Account{VCS: c.vcs, ID: "583231"}}, h.Clock.Now()); !slices.Equal(m, want) {
				t.Errorf("got memberships %v, want %v", m, want)
			}
			for _, table := range []string{"SessionsTable", "OperationsTable"} {
				for _, secret := range []string{vcstest.PersonToken, vcstest.PersonRefresh, b.cookies[session.Cookie]} {
					if strings.Contains(h.Env.Dump(table), secret) {
						t.Errorf("%s holds %s", table, secret)
					}
				}
			}
			if strings.Contains(h.Log.String(), vcstest.PersonToken) || strings.Contains(h.Log.String(), b.cookies[session.Cookie]) || strings.Contains(h.Log.String(), "code0") {
				t.Errorf("the log holds a secret: %s", h.Log.String())
			}
		})
	}
}

func TestRenamedPersonIsTheSameAndALostMembershipGoes(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	first := h.browser()
	first.get(t, first.start(t, "github", ""))
	before, _ := first.user(t)
	h.vcs.Person = vcstest.Person{ID: 583231, Login: "anna", Installations: []int{2}}
	second := h.browser()
	second.get(t, second.start(t, "github", ""))
	after, ok := second.user(t)
	if !ok || after.ID != before.ID || after.Identities["github"].Login != "anna" || len(after.MembershipsFor(ofSession, h.Clock.Now())) != 0 {
		t.Errorf("got %+v, want user %s called anna without memberships", after, before.ID)
	}
	h.vcs.Person = vcstest.Person{ID: 99, Login: "ann"}
	third := h.browser()
	third.get(t, third.start(t, "github", ""))
	if heir, ok := third.user(t); !ok || heir.ID == before.ID {
		t.Error("who took the login is the user who had it")
	}
}

func TestLoginWorksWhereMembershipsCannotBeRead(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	b := h.browser()
	h.vcs.Fail(vcstest.Failure{Match: "/user/installations", Status: 500})
	if got := b.get(t, b.start(t, "github", "")); got.StatusCode != 303 {
		t.Errorf("got %d %s, want 303", got.StatusCode, got.Body)
	}
	if u, ok := b.user(t); !ok || len(u.Hosted) != 0 {
		t.Errorf("got %+v, %t; want a session without memberships", u, ok)
	}
	if !strings.Contains(h.Log.String(), "memberships not read at login") {
		t.Error("nothing is logged")
	}
}

func TestCallbackThatThisBrowserDidNotBeginLogsNobodyIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		// do sends the browser to the callback. It gets the browsers of the victim
		// and the attacker.
		do     func(t *testing.T, h *rig, victim, attacker *browser) (status int)
		status int
	}{
		"attacker's whole address": {func(t *testing.T, _ *rig, victim, attacker *browser) int {
			return victim.get(t, attacker.start(t, "github", "")).StatusCode
		}, 400},
		"attacker's whole address, with a login of one's own under way": {func(t *testing.T, _ *rig, victim, attacker *browser) int {
			victim.start(t, "github", "")
			return victim.get(t, attacker.start(t, "github", "")).StatusCode
		}, 400},
		"attacker's code with one's own state": {func(t *testing.T, _ *rig, victim, attacker *browser) int {
			mine, theirs := query(t, victim.start(t, "github", "")), query(t, attacker.start(t, "github", ""))
			mine.Set("code", theirs.Get("code"))
			return victim.get(t, "/api/github/v1/callback?"+mine.Encode()).StatusCode
		}, 400}, // PKCE: the code belongs to another verifier
		"state of the other VCS": {func(t *testing.T, _ *rig, victim, _ *browser) int {
			mine := query(t, victim.start(t, "gitlab", ""))
			return victim.get(t, "/api/github/v1/callback?"+mine.Encode()).StatusCode
		}, 400},
		"state with another end": {func(t *testing.T, _ *rig, victim, _ *browser) int {
			mine := query(t, victim.start(t, "github", ""))
			mine.Set("state", mine.Get("state")+"A")
			return victim.get(t, "/api/github/v1/callback?"+mine.Encode()).StatusCode
		}, 400},
		"ten minutes later": {func(t *testing.T, h *rig, victim, _ *browser) int {
			back := victim.start(t, "github", "")
			h.Clock.Add(loginTime)
			return victim.get(t, back).StatusCode
		}, 400},
		"cookie made up": {func(t *testing.T, _ *rig, victim, _ *browser) int {
			back := victim.start(t, "github", "")
			victim.cookies[loginCookie] = strings.Repeat("A", 200)
			return victim.get(t, back).StatusCode
		}, 400},
		"no cookie": {func(t *testing.T, _ *rig, victim, _ *browser) int {
			back := victim.start(t, "github", "")
			victim.cookies = map[string]string{}
			return victim.get(t, back).StatusCode
		}, 400},
		"no code": {func(t *testing.T, _ *rig, victim, _ *browser) int {
			mine := query(t, victim.start(t, "github", ""))
			mine.Del("code")
			return victim.get(t, "/api/github/v1/callback?"+mine.Encode()).StatusCode
		}, 400},
		"code that the host does not know": {func(t *testing.T, _ *rig, victim, _ *browser) int {
			mine := query(t, victim.start(t, "github", ""))
			mine.Set("code", "made-up")
			return victim.get(t, "/api/github/v1/callback?"+mine.Encode()).StatusCode
		}, 400},
		"the person said no": {func(t *testing.T, _ *rig, victim, _ *browser) int {
			mine := query(t, victim.start(t, "github", ""))
			mine.Set("error", "access_denied")
			return victim.get(t, "/api/github/v1/callback?"+mine.Encode()).StatusCode
		}, 400},
		"the host's API is down": {func(t *testing.T, h *rig, victim, _ *browser) int {
			back := victim.start(t, "github", "")
			h.vcs.Down = true
			return victim.get(t, back).StatusCode
		}, 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRig(t)
			victim, attacker := h.browser(), h.browser()
			if got := c.do(t, h, victim, attacker); got != c.status {
				t.Errorf("got %d, want %d", got, c.status)
			}
			if _, ok := victim.cookies[session.Cookie]; ok {
				t.Error("the browser has got a session")
			}
			if strings.Contains(h.Env.Dump("SessionsTable"), "SESSION#") {
				t.Error("a session was made")
			}
		})
	}
}

func query(t *testing.T, target string) url.Values {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func TestLoginEndsTheSessionThatTheBrowserHad(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	ends := func(b *browser) (before string) {
		t.Helper()
		before = b.cookies[session.Cookie]
		b.get(t, b.start(t, "github", ""))
		if _, ok := b.user(t); !ok || b.cookies[session.Cookie] == before {
			t.Fatal("the login made no session")
		}
		return before
	}
	live := func(text string) bool {
		t.Helper()
		id, _ := session.IDOf(text)
		found, err := h.tests.sessions.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return found.LiveAt(h.Clock.Now())
	}
	b, elsewhere := h.browser(), h.browser()
	ends(b)
	ends(elsewhere)
	if before := ends(b); live(before) {
		t.Error("logged in again, the former session goes on")
	}
	if !live(elsewhere.cookies[session.Cookie]) {
		t.Error("the session of another browser has ended")
	}
	// A login that fails ends no session.
	if got := b.get(t, "/api/github/v1/callback?code=x&state=y"); got.StatusCode != 400 || !live(b.cookies[session.Cookie]) {
		t.Errorf("got %d, and the session lives: %t; want 400, and that it lives", got.StatusCode, live(b.cookies[session.Cookie]))
	}
	// A text that is no session, and a session that no longer exists, do not
	// disturb a login.
	for _, odd := range []string{"garbage", session.NewState()} {
		b.cookies[session.Cookie] = odd
		ends(b)
	}
	// A table that cannot be written does not disturb it either.
	var faults storagetest.Faults
	h.build(h.Role.WithFaults(&faults).DynamoDB)
	back := b.start(t, "github", "")
	for n := range 30 { // all writes except the first, which counts the attempt
		faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: n + 2, Kind: storagetest.ServerError})
	}
	if got := b.get(t, back); got.StatusCode != 303 || !strings.Contains(h.Log.String(), "former session not ended") {
		t.Errorf("got %d, want 303 and a line of the log: %s", got.StatusCode, h.Log.String())
	}
}

func TestCookieOfALoginIsThisHostsAlone(t *testing.T) {
	t.Parallel()
	// Browsers accept a cookie with this prefix only from its own host, secure and
	// for all paths. The browser of these tests checks the other attributes of each
	// cookie.
	if !strings.HasPrefix(loginCookie, "__Host-") {
		t.Errorf("the cookie is called %s", loginCookie)
	}
	h := newRig(t)
	victim, attacker := h.browser(), h.browser()
	back := attacker.start(t, "github", "")
	victim.cookies["login"] = attacker.cookies[loginCookie] // set for the whole domain, under the name without the prefix
	if got := victim.get(t, back); got.StatusCode != 400 || victim.cookies[session.Cookie] != "" {
		t.Errorf("got %d and session %q, want 400 and none", got.StatusCode, victim.cookies[session.Cookie])
	}
}

func TestStateIsGoodOnce(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	b := h.browser()
	back := b.start(t, "github", "")
	kept := maps.Clone(b.cookies)
	if got := b.get(t, back); got.StatusCode != 303 {
		t.Fatalf("got %d %s, want 303", got.StatusCode, got.Body)
	}
	// Also with a new code, and with the cookie that the browser should have
	// dropped.
	again := h.browser()
	fresh := query(t, again.start(t, "github", ""))
	again.cookies = kept
	q := query(t, back)
	q.Set("code", fresh.Get("code"))
	if got := again.get(t, "/api/github/v1/callback?"+q.Encode()); got.StatusCode != 400 || !strings.Contains(got.Body, "LOGIN_NOT_BEGUN") {
		t.Errorf("got %d %s, want LOGIN_NOT_BEGUN", got.StatusCode, got.Body)
	}
}

func TestLoginThatTheConsoleBeganBeginsAnewHere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ target, want string }{
		"GitHub":               {"/api/github/v1/callback?code=x", "/api/v1/github/login"},
		"GitHub, installation": {"/api/github/v1/callback?code=x&installation_id=7&setup_action=install", "/api/v1/github/login?installation_id=7"},
		"GitLab":               {"/api/v1/gitlab/callback?code=x&state=gitlab_login", "/api/v1/gitlab/login"},
	} {
		h := newRig(t)
		b := h.browser()
		got := b.get(t, c.target)
		if got.StatusCode != 303 || got.Location() != address+c.want || len(b.cookies) != 0 {
			t.Errorf("%s: got %d to %q and cookies %v, want 303 to %q and none", name, got.StatusCode, got.Location(), b.cookies, address+c.want)
			continue
		}
		system := vcs.VCS(strings.Split(c.want, "/")[3])
		_, rest, _ := strings.Cut(c.want, "login")
		b.get(t, b.start(t, system, rest))
		if _, ok := b.user(t); !ok {
			t.Errorf("%s: begun anew, it logs nobody in", name)
		}
	}
}

func TestOtherRequests(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	delete(h.loginHosts, "gitlab")
	for target, want := range map[string]int{
		"/api/v1/gitlab/login": 404, "/api/v1/bitbucket/login": 404, "/api/v1/gitlab/callback?code=x": 404,
		"/api/v1/github/callback?code=x": 404, "/api/v1/github/login?installation_id=x": 400,
		"/api/v1/github/login?installation_id=1%0d%0aSet-Cookie:x": 400, "/api/github/v1/callback?installation_id=//evil": 400,
	} {
		if got := h.browser().get(t, target); got.StatusCode != want {
			t.Errorf("%s: got %d %s, want %d", target, got.StatusCode, got.Body, want)
		}
	}
}

func TestStorageFailureOnTheWayLogsNobodyIn(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"PutItem", "GetItem", "UpdateItem", "TransactWriteItems"} {
		h := newRig(t)
		var faults storagetest.Faults
		faults.Add(storagetest.Fault{Operation: operation, Kind: storagetest.ServerError})
		h.build(h.Role.WithFaults(&faults).DynamoDB)
		b := h.browser()
		got := b.get(t, b.start(t, "github", ""))
		if got.StatusCode != 500 && got.StatusCode != 503 || b.cookies[session.Cookie] != "" {
			t.Errorf("%s: got %d %s, want a failure", operation, got.StatusCode, got.Body)
		}
	}
}
