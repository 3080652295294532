package main

import (
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestOperationsUseWhatTheDocumentSays(t *testing.T) {
	planning := func(t *testing.T, r *rig) job { return r.start(t, vcs.GitHub, run.Plan) }
	costs.Check(t, "RunnerFunction", map[string]costs.Scenario{
		"ask for the work":       counting(func(t *testing.T, r *rig) job { return r.create(t, vcs.GitLab, run.Plan) }, "POST", "/initiate", started),
		"ask for the work again": counting(planning, "POST", "/initiate", started),
		"token of GitHub":        counting(planning, "POST", "/access-token", ""),
		"store a plan":           counting(planning, "POST", "/plans", planBody(net, strings.Repeat("x", 3000), "")),
		"fetch a plan": counting(func(t *testing.T, r *rig) job {
			j := planning(t, r)
			j.store(t, net, strings.Repeat("x", 3000), "").WantBody(t, 200, "")
			return r.start(t, vcs.GitHub, run.Apply, j.chosen(t)...)
		}, "GET", "/plans?path=net&workspace=default", ""),
		"announce the upload of a plan": counting(planning, "POST", "/plans/upload", uploadBody(net, strings.Repeat("x", 3000))),
		"store a plan that was uploaded": counting(func(t *testing.T, r *rig) job {
			j := planning(t, r)
			j.send(t, net, strings.Repeat("x", 3000))
			return j
		}, "POST", "/plans", planBody(net, uploadedPlan, "")),
		"fetch a plan that was uploaded": counting(applyOfUpload, "GET", "/plans?path=net&workspace=default", ""),
		"find where a plan is":           counting(applyOfUpload, "GET", "/plans/download?path=net&workspace=default", ""),
		"report a plan": counting(func(t *testing.T, r *rig) job {
			j := planning(t, r)
			j.store(t, net, strings.Repeat("x", 3000), "").WantBody(t, 200, "")
			return j
		}, "PUT", "", strings.Replace(planned, `,
"gates"`, `,
"other"`, 1)),
		"report an apply": counting(func(t *testing.T, r *rig) job { return r.start(t, vcs.GitHub, run.Apply) }, "PUT", "", applied),
		"report again": counting(func(t *testing.T, r *rig) job {
			j := planning(t, r)
			j.ask(t, "PUT", "", planned).WantBody(t, 200, "")
			return j
		}, "PUT", "", planned),
		"list directories":          counting(planning, "GET", "/workspaces", ""),
		"list directories, by POST": counting(planning, "POST", "/workspaces", ""),
	}, "Runners")
}

// applyOfUpload returns an apply that uses a plan that was uploaded.
func applyOfUpload(t *testing.T, r *rig) job {
	t.Helper()
	j := r.start(t, vcs.GitHub, run.Plan)
	j.send(t, net, strings.Repeat("x", 3000))
	j.store(t, net, uploadedPlan, "").WantBody(t, 200, "")
	return r.start(t, vcs.GitHub, run.Apply, j.chosen(t)...)
}

// counting counts one request of a run's runner.
func counting(prepare func(*testing.T, *rig) job, method, rest, body string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(t, functiontest.On(env, "RunnerFunction"), m.Role("RunnerFunction"))
		j := prepare(t, r)
		caller := j.caller(t)
		m.Start()
		m.Request(method, j.path(rest))
		resp := r.As(t, caller, method, j.path(rest), body)
		m.Stop()
		resp.Want(t, 200, "")
		return m
	}
}
