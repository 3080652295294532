package main

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/contract"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

var now = time.Unix(4_000_000_000, 0).UTC()

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	t.Parallel()
	contract.CheckRoutes(t, "IdentityFunction", routes(nil, nil))
}

// person makes a user with the memberships.
func person(t *testing.T, users *user.Store, name string, memberships ...vcs.Installation) user.User {
	t.Helper()
	ctx := context.Background()
	author := change.Author{Principal: "operator:test", Request: uuid.NewString(), At: now}
	u, err := users.Create(ctx, name, author)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range memberships {
		if err := users.AddMembership(ctx, u.ID, m, author); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	users := &user.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	nobody := person(t, users, "nobody")
	operated := person(t, users, "operated", vcs.Installation{VCS: "github", ID: "1"})
	both := person(t, users, "both", vcs.Installation{VCS: "gitlab", ID: "7"})
	author := change.Author{Principal: "operator:test", Request: uuid.NewString(), At: now}
	alice := user.Identity{ID: "583231", Login: "alice", AvatarURL: "https://avatars.example.com/1"}
	if err := users.PutIdentity(context.Background(), both.ID, "github", alice, author); err != nil {
		t.Fatal(err)
	}
	l := httpapi.NewLambda(routes(users, nil), slog.New(slog.NewTextHandler(io.Discard, nil)), func() time.Time { return now })
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
			got, err := l.Handle(context.Background(), httpapitest.Event(t, c.method, c.path, c.caller, ""))
			if err != nil || got.StatusCode != c.status || got.Body != c.body {
				t.Errorf("got %d %s, %v; want %d %s", got.StatusCode, got.Body, err, c.status, c.body)
			}
		})
	}
}

func TestStorageFailureIsNoRefusal(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	users := &user.Store{DB: env.DynamoDB, Table: "no-such-table"}
	l := httpapi.NewLambda(routes(users, nil), slog.New(slog.NewTextHandler(io.Discard, nil)), func() time.Time { return now })
	got, err := l.Handle(context.Background(), httpapitest.Event(t, "GET", "/api/v1/whoami", token(user.User{ID: uuid.NewString()}), ""))
	if err != nil || got.StatusCode != 500 || got.Body != "" {
		t.Errorf("got %d %s, %v; want an empty 500", got.StatusCode, got.Body, err)
	}
}

func token(u user.User, caps ...access.Capability) *access.Caller {
	return &access.Caller{Kind: access.KindAccessToken, User: u.ID, Capabilities: caps, Expires: now.Unix() + 60}
}

func key(u user.User) *access.Caller { return &access.Caller{Kind: access.KindAPIKey, User: u.ID} }
