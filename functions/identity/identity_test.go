package main

import (
	"testing"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/contract"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

var now = functiontest.Start

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	t.Parallel()
	contract.CheckRoutes(t, "IdentityFunction", routes(nil, nil))
}

// rig is the function with storage of its own. The stores are those of the test.
type rig struct {
	*functiontest.Rig
	users    *user.Store
	sessions *session.Store
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return rigOn(functiontest.New(t, "IdentityFunction"))
}

func rigOn(of *functiontest.Rig) *rig {
	r := &rig{of, &user.Store{DB: of.Env.DynamoDB, Table: of.Env.Table("OperationsTable")}, &session.Store{DB: of.Env.DynamoDB, Table: of.Env.Table("SessionsTable")}}
	r.use(of.Role)
	return r
}

// use makes the function use the clients of an env.
func (r *rig) use(env *storagetest.Env) {
	r.Serve(routes(&user.Store{DB: env.DynamoDB, Table: r.users.Table}, &session.Store{DB: env.DynamoDB, Table: r.sessions.Table}))
}

// person makes a user with the memberships.
func (r *rig) person(t *testing.T, name string, memberships ...vcs.Installation) user.User {
	t.Helper()
	u, err := r.users.Create(t.Context(), name, r.Author())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range memberships {
		if err := r.users.AddMembership(t.Context(), u.ID, m, r.Author()); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nobody := r.person(t, "nobody")
	operated := r.person(t, "operated", vcs.Installation{VCS: "github", ID: "1"})
	both := r.person(t, "both", vcs.Installation{VCS: "gitlab", ID: "7"})
	alice := user.Identity{ID: "583231", Login: "alice", AvatarURL: "https://avatars.example.com/1"}
	if err := r.users.PutIdentity(t.Context(), both.ID, "github", alice, r.Author()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		method string
		path   string
		caller *access.Caller
		status int
		body   string
	}{
		{"no VCS knows the user", "GET", "/api/v1/whoami", token(nobody), 200, `{"id":"` + nobody.ID + `","vcs":[]}`},
		{"a membership ties the user", "GET", "/api/v1/whoami", token(operated), 200, `{"id":"` + operated.ID + `","vcs":["github"]}`},
		{"both", "GET", "/api/v1/whoami", token(both), 200, `{"id":"` + both.ID + `","vcs":["github","gitlab"]}`},
		{"restricted to one VCS", "GET", "/api/v1/whoami", token(both, access.VCS("gitlab")), 200, `{"id":"` + both.ID + `","vcs":["gitlab"]}`},
		{"with an API key", "GET", "/api/v1/whoami", key(operated), 200, `{"id":"` + operated.ID + `","vcs":["github"]}`},
		{"user is gone", "GET", "/api/v1/whoami", token(user.User{ID: uuid.NewString()}), 403, ""},
		{"no credential", "GET", "/api/v1/whoami", nil, 403, ""},
		{"login of the identity", "GET", "/api/v1/github/whoami", token(both), 200, `{"avatar_url":"https://avatars.example.com/1","username":"alice"}`},
		{"own name without identity", "GET", "/api/v1/gitlab/whoami", token(both), 200, `{"username":"both"}`},
		{"not known there", "GET", "/api/v1/gitlab/whoami", token(operated), 403, ""},
		{"restricted to the other VCS", "GET", "/api/v1/github/whoami", token(both, access.VCS("gitlab")), 403, ""},
		{"API key at a VCS", "GET", "/api/v1/github/whoami", key(operated), 200, `{"username":"operated"}`},
		{"unknown VCS", "GET", "/api/v1/bitbucket/whoami", token(both), 404, ""},
		{"logout", "POST", "/api/v1/logout", token(both), 200, ""},
		{"logout with an API key", "POST", "/api/v1/logout", key(both), 403, ""},
		{"logout without credential", "POST", "/api/v1/logout", nil, 403, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.As(t, c.caller, c.method, c.path, "").WantBody(t, c.status, c.body)
		})
	}
}

func TestStorageFailureIsNoRefusal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Faults.Add(storagetest.Fault{Operation: "GetItem", Kind: storagetest.ServerError})
	r.As(t, token(user.User{ID: uuid.NewString()}), "GET", "/api/v1/whoami", "").WantBody(t, 500, "")
}

func token(u user.User, caps ...access.Capability) *access.Caller {
	return &access.Caller{Kind: access.KindAccessToken, User: u.ID, Capabilities: caps, Expires: now.Unix() + 60}
}

func key(u user.User) *access.Caller { return &access.Caller{Kind: access.KindAPIKey, User: u.ID} }
