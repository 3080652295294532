package main

import (
	"context"
	"slices"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runview"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestAbortEndsARunOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	of := r.made(t, infra, body(run.Plan, onMain))
	target := github + "/work-manifests/" + string(of.ID) + "/abort"
	r.Caller = r.session(bob)
	r.post(t, target, "", "").Want(t, 403, "")
	r.Caller = r.token(r.people[ann], access.RunApply, access.RunPlan)
	r.post(t, target, "", "").Want(t, 403, "")
	if got := r.get(t, of.ID); got.State != run.Queued {
		t.Fatalf("a refused abort has left the run %s", got.State)
	}
	r.Caller = r.session(ann)
	first := r.post(t, target, "", "")
	var shown runview.Run
	if first.Read(t, &shown); shown.State != "aborted" || shown.Reason == nil || shown.Reason.Code != run.ByPerson || len(shown.Dirspaces) != 1 {
		t.Errorf("got %s", first.Body)
	}
	r.Caller = r.token(r.machine, access.RunAdmin)
	r.post(t, target, "", "").WantBody(t, 200, first.Body)
	done := r.madeByAnn(t, infra, body(run.Plan, onMain))
	r.report(t, done.ID, true)
	r.post(t, github+"/work-manifests/"+string(done.ID)+"/abort", "", "").Want(t, 400, "RUN_COMPLETED")
	r.post(t, gitlab+"/work-manifests/"+string(of.ID)+"/abort", "", "").Want(t, 404, "")
}

// madeByAnn starts a run in the name of ann, whoever the caller is.
func (r *rig) madeByAnn(t *testing.T, target, text string) run.Run {
	t.Helper()
	caller := r.Caller
	defer func() { r.Caller = caller }()
	r.Caller = r.session(ann)
	return r.made(t, target, text)
}

func TestUnlockMakesPlansVoid(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, at := range []struct {
		base string
		in   vcs.Installation
	}{{github, installations[0]}, {gitlab, installations[1]}} {
		runs, unlock := at.base+"/repos/7/work-manifests", at.base+"/repos/7/prs/17/unlock"
		planned := r.made(t, runs, body(run.Plan, onPull))
		r.report(t, planned.ID, true)
		waiting, branch := r.made(t, runs, body(run.Plan, onPull)), r.made(t, runs, body(run.Plan, onMain))
		var ended unlocked
		r.post(t, unlock, "", "").Read(t, &ended)
		if !slices.Equal(ended.Aborted, []run.ID{waiting.ID}) {
			t.Errorf("%s: the unlock has aborted %v, want %s", at.base, ended.Aborted, waiting.ID)
		}
		if got := r.get(t, waiting.ID); got.Reason.Code != run.Unlocked {
			t.Errorf("%s: the run that waited has the reason %+v", at.base, got.Reason)
		}
		if got := r.get(t, branch.ID); got.State != run.Queued {
			t.Errorf("%s: the run of the branch is %s", at.base, got.State)
		}
		if got := r.asked(t, at.in.Repository("7")); !slices.Equal(got, []string{"pull#17 by ann"}) {
			t.Errorf("%s: the unlock asks for the evaluations %q", at.base, got)
		}
		r.report(t, branch.ID, false) // an apply waits for every run
		r.post(t, runs, "", body(run.Apply, onPull)).Want(t, 400, "PLAN_NEEDED")
		again := r.made(t, runs, body(run.Plan, onPull))
		r.report(t, again.ID, true)
		r.made(t, runs, body(run.Apply, onPull))
		r.post(t, at.base+"/repos/7/prs/99/unlock", "", "").Want(t, 400, "PULL_REQUEST_NOT_FOUND")
		r.post(t, at.base+"/repos/7/prs/017/unlock", "", "").Want(t, 400, "INVALID_PULL_NUMBER")
		r.post(t, at.base+"/repos/7/drift/unlock", "", "").WantBody(t, 200, `{"aborted":[]}`)
		if u, err := r.history.Runs.Unlocked(t.Context(), at.in.Repository("7"), run.OriginOfDrift); err != nil || u.By != "ann" || u.Seq == 0 {
			t.Errorf("%s: the unlock of drift is %+v, %v", at.base, u, err)
		}
	}
	r.Caller = r.token(r.people[bob], access.RunAdmin)
	r.post(t, github+"/repos/7/prs/17/unlock", "", "").Want(t, 403, "")
}

// asked returns the requests for evaluations of a repository.
func (r *rig) asked(t *testing.T, on vcs.Repository) (lines []string) {
	t.Helper()
	h, ok, err := lanesOver(r.Env).Enter(t.Context(), on, r.Clock.Now())
	if err != nil || !ok {
		t.Fatalf("enter the lane: %t, %v", ok, err)
	}
	list, err := h.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		line := p.Name() + " by " + p.Sender
		if p.Automatic {
			line += ", automatic"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestRunIsRunAgainAtTheHeadOfNow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, where := range []string{onMain, onPull} {
		first := r.made(t, infra, `{"run_type":"plan","dirspaces":[{"dir":"a"},{"dir":"b","workspace":"eu"}],"environment":"prod","runs_on":["large"],`+where+`}`)
		r.report(t, first.ID, false)
		r.at(r.moved)
		r.Caller = r.token(r.machine, access.RunPlan)
		second := r.made(t, github+"/work-manifests/"+string(first.ID)+"/rerun", "")
		r.Caller = r.session(ann)
		r.at(r.head)
		if second.ID == first.ID || second.Source.Commit != r.moved || second.Kind != first.Kind || second.Environment != "prod" || second.RunsOn != first.RunsOn ||
			second.User != "robot" || second.Principal != r.machine || !slices.Equal(second.Dirspaces, first.Dirspaces) {
			t.Errorf("%s: %+v was run again as %+v", where, first.Spec, second.Spec)
		}
		if second = r.get(t, second.ID); second.State != run.Queued {
			t.Errorf("%s: the new run is %s", where, second.State)
		}
	}
	plan := r.made(t, infra, body(run.Plan, onMain))
	r.report(t, plan.ID, true)
	apply := r.made(t, infra, body(run.Apply, onMain))
	r.Caller = r.token(r.machine, access.RunPlan)
	r.post(t, github+"/work-manifests/"+string(apply.ID)+"/rerun", "", "").Want(t, 403, "")
	r.Caller = r.token(r.machine, access.RunApply)
	r.post(t, github+"/work-manifests/"+string(apply.ID)+"/rerun", "", "").Want(t, 400, "APPLY_UNDER_WAY")
}

// TestUnlockBetweenTheLastCheckAndTheQueueingRefusesTheApply unlocks the pull request when
// the rules have admitted the apply for the last time, and before it is queued.
func TestUnlockBetweenTheLastCheckAndTheQueueingRefusesTheApply(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	plan := r.made(t, infra, body(run.Plan, onPull))
	r.report(t, plan.ID, true)
	faults := &storagetest.Faults{}
	faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 2, Before: func() { // the first one begins the creation
		if _, err := r.history.Runs.Unlock(t.Context(), plan.Repository, plan.Origin(), "bob", r.Author()); err != nil {
			t.Error(err)
		}
	}})
	r.Serve(routes(r.over(r.Role.WithFaults(faults))))
	r.post(t, infra, "", body(run.Apply, onPull)).Want(t, 400, "PLAN_NEEDED")
}

// TestStartThatIsKilledAnywhereStartsOneRun ends the function at some of its calls to the
// storage. The last call takes effect, but its response is lost. The client sends the request
// again, with the same key: there is one run, which has everything that its runner needs.
func TestStartThatIsKilledAnywhereStartsOneRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	plan := r.made(t, infra, body(run.Plan, onMain))
	r.report(t, plan.ID, true)
	for n, ended := 1, false; !ended; n++ {
		calls := 0
		ctx, kill := context.WithCancel(t.Context())
		faults := &storagetest.Faults{Choose: func(string) storagetest.Fault {
			switch calls++; {
			case calls > n:
				kill()
				return storagetest.Fault{Kind: storagetest.Refuse}
			case calls == n:
				return storagetest.Fault{Kind: storagetest.LoseAnswer}
			}
			return storagetest.Fault{}
		}}
		dying := r.Serve(routes(r.over(r.Role.WithFaults(faults))))
		key := "key-" + string(run.NewID())
		event := httpapitest.Event(t, "POST", infra, r.Caller, body(run.Apply, onMain))
		event.MultiValueHeaders["Idempotency-Key"] = []string{key}
		if _, err := dying.Handle(ctx, event); err != nil {
			t.Fatal(err)
		}
		kill()
		ended = calls < n
		r.Serve(routes(r.commands))
		id := idOf(t, r.post(t, infra, key, body(run.Apply, onMain)))
		if uses, err := r.history.PlanStore.Uses(t.Context(), id); err != nil || len(uses) != 1 || uses[0].Plan != plan.ID {
			t.Fatalf("killed at call %d: the apply uses %+v, %v", n, uses, err)
		}
		applies := 0
		active, err := r.history.Runs.Active(t.Context(), plan.Repository)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range active {
			if a.Type == run.Apply && a.State.Active() {
				applies++
			}
		}
		if applies != 1 {
			t.Fatalf("killed at call %d: %d applies wait, want one", n, applies)
		}
		r.post(t, github+"/work-manifests/"+string(id)+"/abort", "", "").Want(t, 200, "")
		if ended && n < 10 {
			t.Errorf("an undisturbed start made %d calls: that is not all of it", calls)
		}
	}
}

func TestRunsThatWaitAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.limits = limits{active: 3, own: 2}
	r.made(t, infra, body(run.Plan, onMain))
	second := r.made(t, infra, body(run.Plan, onPull))
	r.post(t, infra, "", body(run.Plan, onMain)).Want(t, 429, "TOO_MANY_RUNS")
	r.Caller = r.token(r.machine, access.RunPlan)
	r.made(t, infra, body(run.Plan, onMain))
	r.post(t, infra, "", body(run.Plan, onMain)).Want(t, 429, "TOO_MANY_RUNS")
	r.report(t, second.ID, true)
	r.made(t, infra, body(run.Plan, onMain))
}
