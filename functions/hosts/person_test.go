package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

// overtaken returns a rig whose next call first finds the grant of a VCS as it was
// before another call refreshed it. When it reads again, it finds the new grant.
func overtaken(t *testing.T, system vcs.VCS, next func(*rig) grant.Grant) *rig {
	t.Helper()
	r := newRig(t)
	r.know(t, installation.Installation{VCS: "github", ID: "1", Name: "acme", State: installation.Installed})
	newer := next(r)
	of := grant.Holder{User: r.Caller.User, Account: vcs.Account{VCS: system, ID: "5"}}
	// The user is read first, then the grant, then the grant again.
	r.Faults.Add(storagetest.Fault{Operation: "GetItem", Nth: 3, Before: func() {
		if err := r.grants.Put(t.Context(), of, newer, author()); err != nil {
			t.Error(err)
		}
	}})
	return r
}

func TestTokenThatAnotherCallsRefreshEndedIsNoLostGrant(t *testing.T) {
	t.Parallel()
	atGitHub := func(r *rig) grant.Grant {
		next, err := r.loginHosts["github"].OAuth.Refresh(t.Context(), vcstest.PersonRefresh)
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	atGitLab := func(r *rig) grant.Grant {
		of := grant.Holder{User: r.Caller.User, Account: vcs.Account{VCS: "gitlab", ID: "5"}}
		if err := r.grants.Put(t.Context(), of, grant.Grant{Access: "ended"}, author()); err != nil {
			t.Fatal(err)
		}
		return grant.Grant{Access: r.gitlab.Account(ann, "ann")}
	}
	r := overtaken(t, "github", atGitHub)
	r.expect(t, "GET", "/api/v1/github/installations", "", 200, `"id":"1"`)
	if n := r.github.Asked("GET /user/installations"); n != 2 {
		t.Errorf("GitHub was asked %d times, want twice", n)
	}
	r = overtaken(t, "gitlab", atGitLab)
	r.expect(t, "GET", "/api/v1/gitlab/groups", "", 200, `[{"id":77,"name":"Acme"}]`)
	r = overtaken(t, "gitlab", atGitLab)
	r.expect(t, "GET", hookPath, "", 200, `"state":"pending"`)
	// If the host refuses the new token too, the person has revoked the grant.
	r = overtaken(t, "gitlab", atGitLab)
	r.gitlab.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusUnauthorized})
	r.expect(t, "GET", "/api/v1/gitlab/groups", "", 403, "")
}

func TestTwoCallsAtTheEndOfAGrantBothSucceed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.know(t, installation.Installation{VCS: "github", ID: "1", Name: "acme", State: installation.Installed})
	r.Clock.Set(born.Add(2 * time.Hour))
	r.hosts.grants.Patience = time.Minute
	second := make(chan string, 1)
	r.github.Refreshed = func() { // the host has ended the tokens that the table still has
		reads := r.Faults.Calls("GetItem")
		go func() { second <- r.list(t, "github") }()
		// The second call has read its user, and the grant more than once.
		for end := time.Now().Add(5 * time.Second); r.Faults.Calls("GetItem") < reads+3; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Error("the second call does not wait for the first")
				return
			}
		}
	}
	first := r.list(t, "github")
	for _, got := range []string{first, <-second} {
		if got != "1 acme active; " {
			t.Errorf("got %s", got)
		}
	}
	if n := r.github.Asked("POST /login/oauth/access_token"); n != 1 {
		t.Errorf("GitHub was asked for %d grants, want one", n)
	}
}

func TestAnotherAccountOfTheUserIsNotAskedForWithTheGrantOfTheFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.know(t, installation.Installation{VCS: "github", ID: "1", Name: "acme", State: installation.Installed})
	if got := r.list(t, "github"); got != "1 acme active; " {
		t.Fatalf("got %s", got)
	}
	asked := r.github.Asked("GET ")
	for _, system := range vcs.All() {
		if err := r.people.Users.PutIdentity(t.Context(), r.Caller.User, system, user.Identity{ID: "6", Login: "ben"}, author()); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.list(t, "github"); got != "403" || r.github.Asked("GET ") != asked {
		t.Errorf("got %s with %d requests of GitHub, want 403 with none", got, r.github.Asked("GET ")-asked)
	}
	r.expect(t, "GET", "/api/v1/gitlab/groups", "", 403, "")
	// A session that was made with the former account is no longer valid.
	if err := r.people.Users.AddMembership(t.Context(), r.Caller.User, vcs.Installation{VCS: "github", ID: "1"}, author()); err != nil {
		t.Fatal(err)
	}
	r.Caller.Kind, r.Caller.Account.VCS, r.Caller.Capabilities = access.KindSession, vcs.GitHub, session.Capabilities()
	r.Caller.FromOwnPage = true
	for account, want := range map[string]string{"5": "403", "6": "1 acme active; "} {
		if r.Caller.Account.ID = vcs.ID(account); r.list(t, "github") != want {
			t.Errorf("with a session of account %s: got %s, want %s", account, r.list(t, "github"), want)
		}
	}
}
