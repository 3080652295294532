package main

import (
	"fmt"
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

func TestErasuresUseWhatTheDocumentSays(t *testing.T) {
	costs.Check(t, function, map[string]costs.Scenario{
		"a run, nothing is due": working(nil),
		"first pass over a person without API keys": working(func(t *testing.T, r *rig) task.Task {
			u, err := r.users.SignIn(t.Context(), "github", user.Identity{ID: "2", Login: "ann"}, r.author())
			must(t, err)
			return ofUser(u.ID)
		}),
		"first pass over an installation with 100 keys": working(func(t *testing.T, r *rig) task.Task {
			_, err := r.installations.Save(t.Context(), r.author(), installation.Installation{VCS: "github", ID: "77", Name: "acme"})
			must(t, err)
			for n := range 100 {
				r.set(t, vcs.Installation{VCS: "github", ID: "77"}, fmt.Sprintf("key%03d", n), 0, "1", true, nil)
			}
			return ofInstallation("github", "77")
		}),
	}, "Erasures")
}

// working counts the cost of the first pass of an erasure. prepare returns the
// erasure's task. If it is nil, the run has nothing to do.
func working(prepare func(*testing.T, *rig) task.Task) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(functiontest.On(env, function), part)
		if prepare != nil {
			r.start(t, prepare(t, r))
		}
		counted := r.over(m.Role(function))
		m.Start()
		m.Invoke("eraser")
		_, err := counted.Handle(t.Context(), []byte(`{}`))
		must(t, err)
		return m
	}
}
