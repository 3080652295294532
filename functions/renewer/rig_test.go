package main

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/loginhost"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/login/oauth"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

var born = functiontest.Start

// ann is the number of Ann's account at both hosts, and ofAnn is its id.
const (
	ann          = 5
	ofAnn vcs.ID = "5"
)

// rig is the function over its own tables and hosts. Ann has logged in at both
// hosts. She is a member of installation 1 of GitHub and group 77 of GitLab.
type rig struct {
	*functiontest.Rig
	*renewer
	github *vcstest.People
	gitlab *vcstest.GitLab
	ann    string
	// The stores of the test, which also writes what the renewer may not.
	people membership.Memberships
	grants *grant.Store
	keys   *apikey.Store
}

const function = "RenewerFunction"

func newRig(t *testing.T) *rig {
	t.Helper()
	return rigOn(t, functiontest.New(t, function))
}

func rigOn(t *testing.T, of *functiontest.Rig) *rig {
	t.Helper()
	r := &rig{Rig: of, github: vcstest.NewPeople(t), gitlab: vcstest.NewGitLab(t)}
	r.github.Person = vcstest.Person{ID: ann, Login: "ann", Installations: []int{1}}
	r.member(30)
	r.renewer = r.over(r.Role)
	tests := r.over(r.Env)
	r.people, r.grants, r.keys = tests.people, tests.grants, tests.keys
	for system, id := range map[vcs.VCS]vcs.ID{vcs.GitHub: "1", vcs.GitLab: "77"} {
		if _, err := r.people.Installations.Save(t.Context(), r.author(), installation.Installation{VCS: system, ID: id, Name: "acme"}); err != nil {
			t.Fatal(err)
		}
	}
	r.login(t)
	return r
}

// member gives Ann a level in group 77. Level 0 removes her.
func (r *rig) member(level int) {
	r.gitlab.Set(vcstest.Group{ID: 77, FullPath: "acme", FullName: "Acme", Inherited: map[int64]int{ann: level}})
}

// over returns a worker of the rig whose calls go through another env.
func (r *rig) over(env *storagetest.Env) *renewer {
	operations := env.Table("OperationsTable")
	client := func(context.Context) (string, error) { return "s3cret", nil }
	box := sealed.NewBox(sealed.Fixed(bytes.Repeat([]byte("s"), 40)))
	return &renewer{
		people: membership.Memberships{
			Users: &user.Store{DB: env.DynamoDB, Table: operations}, Installations: installation.Store{DB: env.DynamoDB, Table: operations},
			Renewals: membership.Renewals{DB: env.DynamoDB, Table: operations},
		},
		loginHosts: map[vcs.VCS]loginhost.Host{
			"github": {OAuth: oauth.GitHub(r.github.URL, "Iv1.x", client), People: githubhost.NewPeople(r.github.URL)},
			"gitlab": {OAuth: oauth.GitLab(r.github.URL, "abc", client), People: gitlabhost.NewPeople(r.gitlab.API)},
		},
		grants: &grant.Store{DB: env.DynamoDB, Table: env.Table("SessionsTable"), Box: box},
		keys:   &apikey.Store{DB: env.DynamoDB, Table: env.Table("TokensTable")},
		log:    r.Logger(), now: r.Clock.Now,
	}
}

func (r *rig) author() change.Author {
	return change.Author{Principal: "test", Request: uuid.NewString(), At: r.Clock.Now()}
}

// login logs Ann in at both hosts now, as the function login does.
func (r *rig) login(t *testing.T) {
	t.Helper()
	identity := user.Identity{ID: ofAnn, Login: "ann"}
	u, err := r.people.Users.SignIn(t.Context(), "github", identity, r.author())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.people.Users.PutIdentity(t.Context(), u.ID, "gitlab", identity, r.author()); err != nil {
		t.Fatal(err)
	}
	r.ann = u.ID
	for system, held := range map[vcs.VCS]grant.Grant{
		"github": {Access: vcstest.PersonToken, Refresh: vcstest.PersonRefresh, ExpiresAt: r.Clock.Now().Add(8 * time.Hour)},
		"gitlab": {Access: r.gitlab.Account(ann, "ann")},
	} {
		of := r.holder(system)
		if err := r.grants.Put(t.Context(), of, held, r.author()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.people.Renew(t.Context(), r.author(), r.loginHosts[system].People, of, held.Access); err != nil {
			t.Fatal(err)
		}
	}
}

// holder returns Ann with her account at a VCS.
func (r *rig) holder(system vcs.VCS) grant.Holder {
	return grant.Holder{User: r.ann, Account: vcs.Account{VCS: system, ID: ofAnn}}
}

// pass lets minutes pass. The schedule wakes a worker in each minute.
func (r *rig) pass(t *testing.T, d time.Duration) tally {
	t.Helper()
	var sum tally
	for end := r.Clock.Now().Add(d); r.Clock.Now().Before(end); {
		r.Clock.Add(time.Minute)
		got, err := r.handle(t.Context(), nil)
		if err != nil {
			t.Fatalf("%v: %s", err, r.Log.String())
		}
		sum = tally{sum.Renewed + got.Renewed, sum.Ended + got.Ended, sum.Failed + got.Failed}
	}
	return sum
}

// allowed reports whether a credential of Ann is accepted at her installation of a
// VCS, by the rule that all routes of installations have.
func (r *rig) allowed(t *testing.T, system vcs.VCS, kind access.Kind) bool {
	t.Helper()
	u, err := r.people.Users.Get(t.Context(), r.ann)
	if err != nil {
		t.Fatal(err)
	}
	target := vcs.Installation{VCS: system, ID: map[vcs.VCS]vcs.ID{"github": "1", "gitlab": "77"}[system]}
	caller := access.Caller{Kind: kind, User: u.ID, Account: vcs.Account{VCS: target.VCS, ID: ofAnn}}
	caller = caller.Narrow(u.MembershipsFor(caller, r.Clock.Now()), target)
	return access.Authorize(caller, access.Rule{Scope: access.ScopeInstallation}, target, r.Clock.Now()) == nil
}

// expect compares, for all kinds of credential, whether Ann is allowed with what is
// wanted.
func (r *rig) expect(t *testing.T, when string, system vcs.VCS, want bool) {
	t.Helper()
	for _, kind := range access.DefaultKinds() {
		if got := r.allowed(t, system, kind); got != want {
			t.Errorf("%s: %s at %s let in: %t, want %t", when, kind, system, got, want)
		}
	}
}

// waiting returns the VCSs at which Ann has a renewal.
func (r *rig) waiting(t *testing.T) []vcs.VCS {
	t.Helper()
	var found []vcs.VCS
	for _, system := range vcs.All() {
		due, err := r.people.Renewals.Due(t.Context(), system, r.Clock.Now().AddDate(1, 0, 0), 10)
		if err != nil {
			t.Fatal(err)
		}
		var users []string
		for _, reminder := range due {
			users = append(users, reminder.User)
		}
		if _, err := r.people.Renewals.Get(t.Context(), r.ann, system); (err == nil) != slices.Contains(users, r.ann) || len(users) > 1 {
			t.Fatalf("%s: the renewal is %v, the reminders are %v", system, err, users)
		}
		if len(users) == 1 {
			found = append(found, system)
		}
	}
	return found
}
