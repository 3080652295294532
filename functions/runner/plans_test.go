package main

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestApplyFetchesThePlansThatWereChosenForIt(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		j := r.start(t, at, run.Plan)
		j.store(t, net, "first", "").WantBody(t, 200, "")
		j.store(t, net, "second \x00\xff", `,"has_changes":false`).WantBody(t, 200, "")
		j.store(t, app, "third", `,"has_changes":null,"of_a_later_version":1`).WantBody(t, 200, "")
		j.fetch(t, "path", net).WantBody(t, 403, "")
		j.ask(t, "PUT", "", planned).WantBody(t, 200, "")
		j.store(t, net, "late", "").WantBody(t, 403, "")
		found, err := r.plans.Of(t.Context(), j.id, r.Clock.Now())
		if err != nil || len(found) != 2 {
			t.Fatalf("got %+v, %v", found, err)
		}
		for _, p := range found {
			if p.HasChanges != (p.Dirspace == app) {
				t.Errorf("got %+v", p)
			}
		}

		apply := r.create(t, at, run.Apply, j.chosen(t)...)
		apply.fetch(t, "path", net).WantBody(t, 403, "")
		apply.initiate(t).Want(t, 200, "")
		want := `{"data":"` + base64.StdEncoding.EncodeToString([]byte("second \x00\xff")) + `"}`
		for _, name := range []string{"path", "dir", "path"} {
			apply.fetch(t, name, net).WantBody(t, 200, want)
		}
		apply.ask(t, "GET", "/plans?dir=app&path=./net/&workspace=default", "").WantBody(t, 200, want)
		apply.fetch(t, "path", run.Dirspace{Dir: "net", Workspace: "other"}).WantBody(t, 404, "")
		apply.ask(t, "GET", "/plans?workspace=default", "").Want(t, 400, "INVALID_PARAMETER")
		apply.ask(t, "GET", "/plans?path=net", "").Want(t, 400, "INVALID_PARAMETER")
		apply.ask(t, "GET", "/plans?path=../net&workspace=default", "").Want(t, 400, "INVALID_DIRSPACE")
		apply.store(t, net, "x", "").WantBody(t, 403, "")
		apply.ask(t, "PUT", "", applied).WantBody(t, 200, "")
		apply.fetch(t, "path", net).WantBody(t, 403, "")
	})
}

func TestPlanOfAnEndedRunIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := r.start(t, vcs.GitHub, run.Plan)
	before := j.caller(t) // the authorizer has read the run before it ends
	if _, _, err := r.runs.Abort(t.Context(), j.id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, r.Author()); err != nil {
		t.Fatal(err)
	}
	r.As(t, before, "POST", j.path("/plans"), planBody(net, "x", "")).WantBody(t, 403, "")
	r.As(t, before, "GET", j.path("/workspaces"), "").WantBody(t, 403, "")
	j.store(t, net, "x", "").WantBody(t, 403, "")
}

func TestPlanThatCannotBeKeptIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := r.start(t, vcs.GitHub, run.Plan)
	for body, id := range map[string]string{
		``: "INVALID_BODY", `[]`: "INVALID_BODY", `{"path":"net","workspace":"default"}`: "INVALID_BODY", `{"path":"net","plan_data":""}`: "INVALID_BODY",
		`{"path":"net","workspace":"default","plan_data":"?"}`:      "INVALID_BODY",
		`{"path":"net","workspace":"default","plan_data":7}`:        "INVALID_BODY",
		`{"path":"/net","workspace":"default","plan_data":""}`:      "INVALID_DIRSPACE",
		`{"path":"net","workspace":"","plan_data":""}`:              "INVALID_DIRSPACE",
		`{"path":"other","workspace":"default","plan_data":""}`:     "INVALID_DIRSPACE",
		`{"path":"net\u0000","workspace":"default","plan_data":""}`: "INVALID_DIRSPACE",
	} {
		j.ask(t, http.MethodPost, "/plans", body).Want(t, 400, id)
	}
	large := j.store(t, net, strings.Repeat("x", maxPlan+1), "")
	large.Want(t, 413, "PLAN_TOO_LARGE")
	if !strings.Contains(large.Body, "parameter PlanUploads of the stack to on") {
		t.Errorf("got %s, want what to do", large.Body)
	}
	if found := j.chosen(t); len(found) != 0 {
		t.Errorf("got the plans %+v", found)
	}
}

func TestLargestPlanFitsIntoItsResponse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := r.start(t, vcs.GitHub, run.Plan)
	j.store(t, net, strings.Repeat("x", maxPlan), "").WantBody(t, 200, "")
	apply := r.start(t, vcs.GitHub, run.Apply, j.chosen(t)...)
	const limit, around = 6 << 20, 4 << 10 // of a response of Lambda; status, headers, quotes
	if got := apply.fetch(t, "path", net); got.StatusCode != 200 || len(got.Body) > limit-around {
		t.Errorf("got %d with %d bytes", got.StatusCode, len(got.Body))
	}
}
