package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

// login begins a session of the owner.
func (h *rig) login(t testing.TB) (text, id string) {
	t.Helper()
	text, made, err := h.logins.Create(ctx, h.owner.ID, vcs.Account{VCS: "github", ID: h.owner.Identities["github"].ID}, h.Author())
	if err != nil {
		t.Fatal(err)
	}
	return text, made.ID
}

// browsing returns the event of a browser's request from our own page.
func browsing(text string, path map[string]string) request {
	e := event("", path)
	e.Headers = nil
	e.MultiValueHeaders = map[string][]string{
		"Accept": {"*/*"}, "Host": {"api.example.com"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Port": {"443"},
		"Cookie": {"theme=dark; session=" + text}, "Sec-Fetch-Site": {"same-origin"},
	}
	return e
}

func (h *rig) decide(t testing.TB, e request) (access.Caller, bool) {
	t.Helper()
	answer, err := h.handle(ctx, e)
	if err != nil {
		t.Fatalf("the authorizer failed: %v", err)
	}
	return verdict(t, answer)
}

func TestSessionIsLookedUpWithOneCallAndAnotherAtAnInstallation(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, id := h.login(t)
	member := []vcs.Installation{{VCS: "github", ID: "1"}}
	for name, c := range map[string]struct {
		path    map[string]string
		calls   int
		members []vcs.Installation
		partial bool
	}{
		"elsewhere":          {nil, 1, nil, true},
		"installation":       {atInstallation1, 2, member, false},
		"other installation": {map[string]string{"vcs": "github", "installation_id": "2"}, 2, nil, false},
		"same id, other VCS": {map[string]string{"vcs": "gitlab", "installation_id": "1"}, 2, nil, false},
	} {
		want := access.Caller{
			Kind: access.KindSession, User: h.owner.ID, Key: id, Capabilities: session.Capabilities(), Memberships: c.members, Partial: c.partial,
			Account: vcs.Account{VCS: "github"}, FromOwnPage: true, Expires: start.Add(session.Idle).Unix(), LastUsed: start.Unix(),
		}
		calls := h.count(func() {
			if got, ok := h.decide(t, browsing(text, c.path)); !ok || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %+v, %t; want %+v", name, got, ok, want)
			}
		})
		if calls != c.calls {
			t.Errorf("%s: got %d calls, want %d", name, calls, c.calls)
		}
	}
}

func TestSessionThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, id := h.login(t)
	ended, endedID := h.login(t)
	if err := h.logins.End(ctx, endedID, h.Author()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cookie []string
		calls  int
	}{
		"no cookie":              {nil, 0},
		"another cookie":         {[]string{"sessions=" + text}, 0},
		"empty":                  {[]string{"session="}, 0},
		"the id in its place":    {[]string{"session=" + id}, 1},
		"garbage":                {[]string{"session=garbage"}, 0},
		"a UUID":                 {[]string{"session=5b0e7f7a-8b1c-4f57-9d0e-0f8e1a2b3c4d"}, 0},
		"made up":                {[]string{"session=" + session.NewState()}, 1},
		"logged out":             {[]string{"session=" + ended}, 1},
		"two in one header":      {[]string{"session=" + text + "; session=" + session.NewState()}, 0},
		"two in two headers":     {[]string{"session=" + session.NewState(), "session=" + text}, 0},
		"the same one twice":     {[]string{"session=" + text + "; session=" + text}, 0},
		"an API key as a cookie": {[]string{"session=opk_" + strings.Repeat("a", 92)}, 0},
	} {
		e := browsing(text, nil)
		if e.MultiValueHeaders["Cookie"] = c.cookie; c.cookie == nil {
			delete(e.MultiValueHeaders, "Cookie")
		}
		if calls := h.count(func() {
			if got, ok := h.decide(t, e); ok {
				t.Errorf("%s: got %+v, want a refusal", name, got)
			}
		}); calls != c.calls {
			t.Errorf("%s: got %d calls, want %d", name, calls, c.calls)
		}
	}
	h.Clock.Add(session.Idle)
	if got, ok := h.decide(t, browsing(text, nil)); ok {
		t.Errorf("idle for too long: got %+v, want a refusal", got)
	}
}

func TestAuthorizationDecidesWhereACookieComesToo(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, _ := h.login(t)
	key, k := h.key(t, access.KVStoreRead)
	for name, c := range map[string]struct {
		header string
		passes bool
	}{
		"API key": {"Bearer " + key, true}, "garbage": {"Bearer garbage", false}, "another scheme": {"Basic dXNlcjpwYXNz", false}, "empty": {"", false},
	} {
		e := browsing(text, nil)
		e.MultiValueHeaders["authorization"] = []string{c.header}
		got, ok := h.decide(t, e)
		if ok != c.passes || ok && (got.Kind != access.KindAPIKey || got.Key != k.ID) {
			t.Errorf("%s: got %+v, %t; want let in as a key: %t", name, got, ok, c.passes)
		}
	}
}

func TestSessionWorksFromOurOwnPagesOnly(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, _ := h.login(t)
	const own = "https://api.example.com"
	for name, c := range map[string]struct {
		public, method, site, origin string
		host, port                   string
		passes                       bool
	}{
		"read from our page":                    {method: "GET", site: "same-origin", passes: true},
		"read, address typed in":                {method: "GET", site: "none", passes: true},
		"read, old browser":                     {method: "GET", passes: true},
		"read, linked from elsewhere":           {method: "GET", site: "cross-site"},
		"read, linked from a sibling":           {method: "GET", site: "same-site"},
		"read by a script of another origin":    {method: "GET", origin: "https://evil.example.com"},
		"write from our page":                   {method: "POST", site: "same-origin", origin: own, passes: true},
		"write, browser without Sec-Fetch":      {method: "PUT", origin: own, passes: true},
		"write, site alone":                     {method: "DELETE", site: "same-origin", passes: true},
		"write that says nothing":               {method: "POST"},
		"write from elsewhere":                  {method: "POST", site: "cross-site", origin: "https://evil.example.com"},
		"write from elsewhere, old browser":     {method: "DELETE", origin: "https://evil.example.com"},
		"write from a sibling":                  {method: "PUT", site: "same-site", origin: "https://www.example.com"},
		"write from a sibling, old browser":     {method: "PUT", origin: "https://www.example.com"},
		"write from a page without origin":      {method: "POST", origin: "null"},
		"write by no page":                      {method: "POST", site: "none"},
		"write, ours in plain HTTP":             {method: "POST", origin: "http://api.example.com"},
		"write, ours at another port":           {method: "POST", origin: own + ":8443"},
		"write, name that begins like ours":     {method: "POST", origin: own + ".evil.com"},
		"write, other site says same-origin":    {method: "POST", site: "same-origin", origin: "https://evil.example.com"},
		"behind the configured address":         {public: "https://ops.example.com/base", method: "POST", origin: "https://ops.example.com", passes: true},
		"configured with its default port":      {public: "https://ops.example.com:443", method: "POST", origin: "https://ops.example.com", passes: true},
		"the gateway's own, another configured": {public: "https://ops.example.com", method: "POST", origin: own},
		"ours at a port":                        {method: "POST", origin: own + ":8443", port: "8443", passes: true},
		"ours at a port, in Host":               {method: "POST", origin: own + ":8443", host: "api.example.com:8443", passes: true},
		"unknown method":                        {method: "PATCH"},
	} {
		e := browsing(text, nil)
		e.HTTPMethod, h.public = c.method, c.public
		delete(e.MultiValueHeaders, "Sec-Fetch-Site")
		for header, value := range map[string]string{"sec-fetch-site": c.site, "origin": c.origin} {
			if value != "" {
				e.MultiValueHeaders[header] = []string{value}
			}
		}
		if c.host != "" {
			e.MultiValueHeaders["Host"] = []string{c.host}
		}
		if c.port != "" {
			e.MultiValueHeaders["X-Forwarded-Port"] = []string{c.port}
		}
		calls := h.count(func() {
			if _, ok := h.decide(t, e); ok != c.passes {
				t.Errorf("%s: let in: %t, want %t", name, ok, c.passes)
			}
		})
		if !c.passes && calls != 0 {
			t.Errorf("%s: got %d storage calls, want none", name, calls)
		}
	}
}

func TestCallerOfASessionTellsWhetherAPageOfOursAsked(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, _ := h.login(t)
	for name, c := range map[string]struct {
		site, origin string
		want         bool
	}{
		"our page":                    {site: "same-origin", want: true},
		"our page, old browser":       {origin: "https://api.example.com", want: true},
		"both headers":                {site: "same-origin", origin: "https://api.example.com", want: true},
		"address typed in":            {site: "none"},
		"typed in, with our origin":   {site: "none", origin: "https://api.example.com"},
		"old browser, without a word": {},
	} {
		e := browsing(text, nil)
		delete(e.MultiValueHeaders, "Sec-Fetch-Site")
		for header, value := range map[string]string{"Sec-Fetch-Site": c.site, "Origin": c.origin} {
			if value != "" {
				e.MultiValueHeaders[header] = []string{value}
			}
		}
		if got, ok := h.decide(t, e); !ok || got.FromOwnPage != c.want {
			t.Errorf("%s: let in %t, from a page of ours %t; want true, %t", name, ok, got.FromOwnPage, c.want)
		}
	}
}

func TestMembershipThatAVCSVouchedForLapses(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	if err := h.users.Replace(ctx, h.Author(), h.owner.ID, vcs.Account{VCS: vcs.GitHub}, user.Hosted{Installations: []vcs.ID{"2"}, AskedAt: h.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	at2 := map[string]string{"vcs": "github", "installation_id": "2"}
	text, _ := h.login(t)
	key, _ := h.key(t)
	token := h.token(t, key)
	reaches := func(e request) bool {
		got, ok := h.decide(t, e)
		return ok && slices.Contains(got.Memberships, vcs.Installation{VCS: "github", ID: "2"})
	}
	if !reaches(browsing(text, at2)) || !reaches(event("Bearer "+key, at2)) || !reaches(event("Bearer "+token, at2)) {
		t.Error("a member is refused")
	}
	h.Clock.Add(user.SessionLapse)
	if reaches(browsing(text, at2)) {
		t.Error("the session goes on with old news of the VCS")
	}
	if !reaches(event("Bearer "+key, at2)) {
		t.Error("the key stopped as soon as the session")
	}
	if got, ok := h.decide(t, browsing(text, atInstallation1)); !ok || len(got.Memberships) != 1 {
		t.Error("what an operator gave lapsed too")
	}
	h.Clock.Add(user.KeyLapse - user.SessionLapse)
	if reaches(event("Bearer "+key, at2)) {
		t.Error("the key goes on with old news of the VCS")
	}
}

func TestSessionEndsWithTheTieToItsAccount(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	link := func(id string) {
		t.Helper()
		if err := h.users.PutIdentity(ctx, h.owner.ID, "github", user.Identity{ID: vcs.ID(id), Login: "x"}, h.Author()); err != nil {
			t.Fatal(err)
		}
	}
	link("1")
	h.owner.Identities = map[vcs.VCS]user.Identity{"github": {ID: "1"}}
	text, _ := h.login(t)
	if got, ok := h.decide(t, browsing(text, atInstallation1)); !ok || len(got.Memberships) != 1 || got.Account.ID != "1" {
		t.Errorf("got %+v, %t; want the owner, with account 1", got, ok)
	}
	link("2")
	if got, ok := h.decide(t, browsing(text, atInstallation1)); ok {
		t.Errorf("with another account: got %+v, want a refusal", got)
	}
	// On other routes the function that reads the user refuses. It gets the account
	// from the authorizer.
	if got, ok := h.decide(t, browsing(text, nil)); !ok || got.Account.VCS != "github" || got.Account.ID != "1" {
		t.Errorf("got %+v, %t; want the account of the login", got, ok)
	}
}

func TestFailureToReadASessionIsNoRefusal(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, _ := h.login(t)
	for _, path := range []map[string]string{nil, atInstallation1} {
		h.Faults.Clear()
		h.Faults.Add(storagetest.Fault{Operation: "GetItem", Kind: storagetest.ServerError})
		if answer, err := h.handle(ctx, browsing(text, path)); err == nil {
			t.Errorf("got %+v, want an error", answer)
		}
	}
	// The session is found, but its user is not.
	h.Faults.Clear()
	h.directory.db, h.directory.operations = h.Env.DynamoDB, "no-such-table"
	if answer, err := h.handle(ctx, browsing(text, atInstallation1)); err == nil {
		t.Errorf("without users: got %+v, want an error", answer)
	}
}
