package main

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

func TestTasksUseWhatTheDocumentSays(t *testing.T) {
	refreshed := func(t *testing.T, r *rig) string {
		r.github.Install("42", many(100)...)
		return r.start(t, "github", "42")
	}
	costs.Check(t, function, map[string]costs.Scenario{
		"refresh of 100 repositories, all new": working(refreshed),
		"refresh of the same again": working(func(t *testing.T, r *rig) string {
			r.wake(t, r.over(r.Role), refreshed(t, r))
			r.Clock.Add(time.Hour)
			return refreshed(t, r)
		}),
		"removal of 200 pull requests": working(func(t *testing.T, r *rig) string {
			for n := int64(1); n <= 200; n++ {
				r.pull(t, "7", n, "1")
			}
			removal := repository.RemovalTask("", vcs.Installation{VCS: "github", ID: "42"}.Repository("7"), "2")
			if err := r.Tasks.Create(t.Context(), r.author(), removal); err != nil {
				t.Fatal(err)
			}
			return removal.ID
		}),
	}, "Tasks")
}

// working counts the cost of a task. prepare returns the task's id.
func working(prepare func(*testing.T, *rig) string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(t, functiontest.On(env, function))
		r.Clock.Add(123 * time.Millisecond)
		r.Worker = r.over(m.Role(function))
		id := prepare(t, r)
		m.Start()
		m.Invoke("jobs")
		if r.wake(t, r.Worker, id) {
			t.Error("the task was handed back")
		}
		return m
	}
}
