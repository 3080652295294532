package main

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/run"
)

func TestOperationsUseWhatTheDocumentSays(t *testing.T) {
	nothing := func(*testing.T, *rig) string { return infra }
	planned := func(t *testing.T, r *rig, where string) run.Run {
		made := r.made(t, infra, body(run.Plan, where))
		r.report(t, made.ID, true)
		return made
	}
	costs.Check(t, function, map[string]costs.Scenario{
		"start of a plan": counting("", body(run.Plan, onMain), 201, nothing),
		"start of an apply": counting("", body(run.Apply, onMain), 201, func(t *testing.T, r *rig) string {
			planned(t, r, onMain)
			return infra
		}),
		"start of a plan of a pull request": counting("", body(run.Plan, onPull), 201, nothing),
		"start of an apply of a pull request": counting("", body(run.Apply, onPull), 201, func(t *testing.T, r *rig) string {
			planned(t, r, onPull)
			return infra
		}),
		"start that is repeated": counting("key", body(run.Plan, onMain), 201, func(t *testing.T, r *rig) string {
			idOf(t, r.post(t, infra, "key", body(run.Plan, onMain)))
			return infra
		}),
		"plan that is run again": counting("", "", 201, func(t *testing.T, r *rig) string {
			return github + "/work-manifests/" + string(planned(t, r, onMain).ID) + "/rerun"
		}),
		"abort of a queued run": counting("", "", 200, func(t *testing.T, r *rig) string {
			return github + "/work-manifests/" + string(r.made(t, infra, body(run.Plan, onMain)).ID) + "/abort"
		}),
		"unlock of a pull request, one run waits": counting("", "", 200, func(t *testing.T, r *rig) string {
			r.made(t, infra, body(run.Plan, onPull))
			return github + "/repos/7/prs/17/unlock"
		}),
		"unlock of drift, nothing waits": counting("", "", 200, func(*testing.T, *rig) string { return github + "/repos/7/drift/unlock" }),
	}, "Commands")
}

// counting counts a request, after the preparation, which returns its target.
func counting(key, text string, status int, prepare func(*testing.T, *rig) string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(t, functiontest.On(env, function), m.Role(function))
		target := prepare(t, r)
		m.Start()
		m.Request("POST", target)
		if got := r.post(t, target, key, text); got.StatusCode != status {
			t.Errorf("got %d %s, want %d", got.StatusCode, got.Body, status)
		}
		return m
	}
}
