package main

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestOperationsUseWhatTheDocumentSays(t *testing.T) {
	costs.Check(t, "IdentityFunction", map[string]costs.Scenario{
		"whoami":                              asking("GET", "/api/v1/whoami"),
		"whoami at a VCS":                     asking("GET", "/api/v1/github/whoami"),
		"logout":                              asking("POST", "/api/v1/logout"),
		"whoami, first of a session in a day": browsing("GET", "/api/v1/whoami"),
		"logout of a session":                 browsing("POST", "/api/v1/logout"),
	}, "Identity")
}

func asking(method, path string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		users := &user.Store{DB: m.DynamoDB(), Table: env.Table("OperationsTable")}
		ann := person(t, users, "ann", vcs.Installation{VCS: "github", ID: "12345678"})
		l := httpapi.NewLambda(routes(users, nil), slog.New(slog.NewTextHandler(io.Discard, nil)), func() time.Time { return now })
		m.Start()
		m.Request(method, path)
		got, err := l.Handle(t.Context(), httpapitest.Event(t, method, path, token(ann), ""))
		if err != nil || got.StatusCode != 200 {
			t.Errorf("got %d %s, %v; want 200", got.StatusCode, got.Body, err)
		}
		return m
	}
}

// browsing asks with a session that was last seen a day ago.
func browsing(method, path string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		users := &user.Store{DB: m.DynamoDB(), Table: env.Table("OperationsTable")}
		sessions := &session.Store{DB: m.DynamoDB(), Table: env.Table("SessionsTable")}
		ann := person(t, users, "ann", vcs.Installation{VCS: "github", ID: "12345678"})
		caller := login(t, sessions, ann, now.Add(-session.SeenInterval))
		l := httpapi.NewLambda(routes(users, sessions), slog.New(slog.NewTextHandler(io.Discard, nil)), func() time.Time { return now })
		m.Start()
		m.Request(method, path)
		got, err := l.Handle(t.Context(), httpapitest.Event(t, method, path, caller, ""))
		if err != nil || got.StatusCode != 200 {
			t.Errorf("got %d %s, %v; want 200", got.StatusCode, got.Body, err)
		}
		return m
	}
}
