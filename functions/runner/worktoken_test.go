package main

import (
	"bytes"
	"testing"

	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/worktoken"
	"github.com/opsplane/opsplane/shared/vcs"
)

// TestIDThatReadersSeeIsNoWorkToken tries the id of a run where its runner sends the work
// token: before the CI job has asked for the work, while it works, and after the end.
func TestIDThatReadersSeeIsNoWorkToken(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		j := r.create(t, at, run.Plan)
		shown := j
		shown.work = string(j.id)
		check := func(want run.State) {
			t.Helper()
			shown.initiate(t).WantBody(t, 404, "")
			for _, c := range []struct{ method, rest, body string }{
				{"POST", "/plans", planBody(net, "x", "")},
				{"GET", "/plans?path=net&workspace=default", ""},
				{"PUT", "", planned},
				{"GET", "/workspaces", ""},
				{"POST", "/workspaces", ""},
			} {
				shown.ask(t, c.method, c.rest, c.body).WantBody(t, 403, "")
			}
			if at == vcs.GitHub {
				shown.ask(t, "POST", "/access-token", "").WantBody(t, 403, "")
			}
			if got := j.now(t).State; got != want {
				t.Errorf("the run is %s, want %s", got, want)
			}
		}
		check(run.Queued)
		j.initiate(t).Want(t, 200, "")
		check(run.Running)
		j.ask(t, "PUT", "", planned).WantBody(t, 200, "")
		check(run.Completed)
	})
}

// TestJobThatWasStartedBeforeARotationGoesOn changes the server's secret while a CI job works.
func TestJobThatWasStartedBeforeARotationGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := r.start(t, vcs.GitHub, run.Plan)
	old, next := bytes.Repeat([]byte("s"), 40), bytes.Repeat([]byte("t"), 40)
	rotate := func(values ...[]byte) {
		r.server.box, r.server.work = sealed.NewBox(sealed.Fixed(values...)), worktoken.New(sealed.Fixed(values...))
		r.Serve(routes(r.server))
	}
	rotate(next, old)
	j.initiate(t).Want(t, 200, "")
	j.store(t, net, "x", "").WantBody(t, 200, "")
	rotate(next)
	j.initiate(t).WantBody(t, 404, "")
	j.ask(t, "PUT", "", planned).WantBody(t, 403, "")
	rotate(next, old)
	j.ask(t, "PUT", "", planned).WantBody(t, 200, "")
}
