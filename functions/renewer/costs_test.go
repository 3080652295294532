package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
)

func TestRenewalsUseWhatTheDocumentSays(t *testing.T) {
	costs.Check(t, function, map[string]costs.Scenario{
		"a run, nobody is due":         running(tally{}, func(_ *testing.T, r *rig) { r.Clock.Set(born) }),
		"a run that renews one person": running(tally{Renewed: 1}, func(*testing.T, *rig) {}),
		"a run in which the host does not respond": running(tally{Failed: 1}, func(_ *testing.T, r *rig) {
			r.gitlab.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusTooManyRequests})
		}),
		"a run that ends a membership": running(tally{Ended: 1}, func(t *testing.T, r *rig) {
			r.gitlab.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusUnauthorized})
			r.Clock.Set(born.Add(time.Hour))
			if _, err := r.over(r.Role).handle(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			r.Clock.Add(again)
		}),
	}, "Renewals")
}

// running counts the cost of one run. A person's renewal is due at GitLab only.
func running(want tally, prepare func(*testing.T, *rig)) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(t, functiontest.On(env, function))
		a, err := r.people.Renewals.Get(t.Context(), r.ann, "github")
		if err != nil {
			t.Fatal(err)
		}
		if err := r.people.Renewals.End(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		r.Clock.Set(born.Add(time.Hour))
		prepare(t, r)
		worker := r.over(m.Role(function))
		m.Start()
		m.Invoke("renewer")
		if got, err := worker.handle(t.Context(), nil); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		return m
	}
}
