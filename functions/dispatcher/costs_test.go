package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

func TestDispatchUsesWhatTheDocumentSays(t *testing.T) {
	costs.Check(t, "DispatcherFunction", map[string]costs.Scenario{
		"start of a plan of 1 directory": shown(func(t *testing.T, r *rig) run.ID { return r.create(t, infraRepository, run.Plan, "a") }),
		"start of a run that the host refuses": shown(func(t *testing.T, r *rig) run.ID {
			r.github.Fail(vcstest.Failure{Match: "/dispatches", Status: 422, Body: `{"message":"no"}`})
			return r.create(t, infraRepository, run.Plan, "a")
		}),
		"end of a plan, with nothing that waits": shown(func(t *testing.T, r *rig) run.ID {
			id := r.begun(t, run.Plan, "a")
			r.report(t, id)
			return id
		}),
		"end of a plan of 100 directories, with nothing that waits": shown(func(t *testing.T, r *rig) run.ID {
			var names []string
			for i := range 100 {
				names = append(names, fmt.Sprintf("d%02d", i))
			}
			id := r.begun(t, run.Plan, names...)
			r.report(t, id)
			return id
		}),
		"end of an apply, with nothing that waits": shown(func(t *testing.T, r *rig) run.ID {
			id := r.begun(t, run.Apply, "a")
			r.report(t, id)
			return id
		}),
		"sweep, nothing is due": swept(func(*testing.T, *rig) {}),
		"sweep that looks at a job which works": swept(func(t *testing.T, r *rig) {
			r.begun(t, run.Plan, "a")
			r.Clock.Add(10 * time.Minute)
		}),
		"sweep that ends a run": swept(func(t *testing.T, r *rig) {
			r.create(t, infraRepository, run.Plan, "a")
			r.minute(t)
			r.github.CI.Set(9001, "completed", "failure")
			r.Clock.Add(2 * time.Minute)
		}),
		"sweep that removes the plans of a closed pull request, of one run": swept(func(t *testing.T, r *rig) {
			r.planned(t, 17)
			r.Clock.Add(2 * time.Minute)
			r.minute(t) // what follows the end of the run
			r.close(t, 17, r.Clock.Now())
		}),
	}, "Runs")
}

// begun returns a run whose runner has its work.
func (r *rig) begun(t *testing.T, of run.Type, names ...string) run.ID {
	t.Helper()
	id := r.create(t, infraRepository, of, names...)
	r.show(t, id)
	if _, err := r.runs.Initiate(t.Context(), id, runstore.CIJob{Run: r.get(t, id).Dispatch.ID, Commit: "bb"}, r.author()); err != nil {
		t.Fatal(err)
	}
	return id
}

// shown counts what the function uses for the record of a run.
func shown(prepare func(*testing.T, *rig) run.ID) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := newRigOn(t, env)
		id := prepare(t, r)
		r.dispatcher = r.over(m.Role("DispatcherFunction"))
		m.Start()
		m.Invoke("dispatcher")
		if back := r.show(t, id); len(back) > 0 {
			t.Errorf("given back: %v", back)
		}
		m.Stop()
		return m
	}
}

// swept counts what the schedule uses.
func swept(prepare func(*testing.T, *rig)) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := newRigOn(t, env)
		prepare(t, r)
		r.dispatcher = r.over(m.Role("DispatcherFunction"))
		m.Start()
		m.Invoke("dispatcher")
		r.minute(t)
		m.Stop()
		return m
	}
}
