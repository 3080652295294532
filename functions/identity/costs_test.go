package main

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/api/access"
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
	return use(method, path, func(_ *testing.T, _ *rig, ann user.User) *access.Caller { return token(ann) })
}

// browsing uses a session that was last seen a day ago.
func browsing(method, path string) costs.Scenario {
	return use(method, path, func(t *testing.T, r *rig, ann user.User) *access.Caller {
		return r.login(t, ann, now.Add(-session.SeenInterval))
	})
}

func use(method, path string, by func(*testing.T, *rig, user.User) *access.Caller) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(functiontest.On(env, "IdentityFunction"))
		ann := r.person(t, "ann", vcs.Installation{VCS: "github", ID: "12345678"})
		caller := by(t, r, ann)
		r.use(m.Role("IdentityFunction"))
		m.Start()
		m.Request(method, path)
		if got := r.As(t, caller, method, path, ""); got.StatusCode != 200 {
			t.Errorf("got %d %s, want 200", got.StatusCode, got.Body)
		}
		return m
	}
}
