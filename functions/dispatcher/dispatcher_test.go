package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/template"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
)

func TestRunIsStartedWhenTheStreamShowsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := []run.ID{r.create(t, infraRepository, run.Plan, "a"), r.create(t, otherRepository, run.Apply, "a"), r.create(t, infraRepository, run.Plan, "b")}
	if back := r.show(t, ids...); len(back) != 0 {
		t.Errorf("given back: %v", back)
	}
	if back := r.show(t, ids...); len(back) != 0 { // the stream repeats itself
		t.Errorf("given back: %v", back)
	}
	if a, b := len(r.github.CI.Runs()), len(r.gitlab.CI.Runs()); a != 2 || b != 1 {
		t.Errorf("started %d and %d jobs, want 2 and 1", a, b)
	}
	for _, id := range ids {
		if got := r.get(t, id); !got.Dispatch.Dispatched() || got.Dispatch.ID == "" {
			t.Errorf("%+v", got.Dispatch)
		}
	}
}

func TestScheduleStartsWhatTheStreamHasNotShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(t, infraRepository, run.Plan, "a")
	if got := r.minute(t); got.Started != 1 {
		t.Errorf("%+v", got)
	}
	if got := r.minute(t); got != (done{}) {
		t.Errorf("then %+v", got)
	}
}

// TestEndOfARunStartsTheNextAndRemovesItsPlans uses an apply and a plan that the apply
// uses, and another apply that waits for it.
func TestEndOfARunStartsTheNextAndRemovesItsPlans(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	plan := r.create(t, infraRepository, run.Plan, "a")
	d := run.Dirspace{Dir: "a", Workspace: "default"}
	if err := r.plans.Put(ctx, plan, d, []byte("secret plan"), true, r.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	stored, err := r.plans.Of(ctx, plan, r.Clock.Now())
	if err != nil || len(stored) != 1 {
		t.Fatalf("%v, %v", stored, err)
	}
	apply, next := r.create(t, infraRepository, run.Apply, "a"), r.create(t, infraRepository, run.Apply, "a")
	if err := r.plans.Choose(ctx, apply, []planstore.Use{{Dirspace: d, Plan: plan, Digest: stored[0].Digest}}, r.Clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	r.show(t, apply)
	if _, err := r.runs.Initiate(ctx, apply, runstore.CIJob{Run: r.get(t, apply).Dispatch.ID, Commit: "bb"}, r.author()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.runs.Complete(ctx, apply, run.Result{Outcomes: make([]run.Outcome, 1), Success: true}, r.author()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if back := r.show(t, apply); len(back) != 0 {
			t.Errorf("given back: %v", back)
		}
	}
	if left, err := r.plans.Of(ctx, plan, r.Clock.Now()); err != nil || len(left) != 0 {
		t.Errorf("the plan is still there: %v, %v", left, err)
	}
	if got := r.get(t, next); !got.Dispatch.Dispatched() {
		t.Errorf("the next apply was not started: %+v", got.Dispatch)
	}
	if left, err := r.runs.Due(ctx, runstore.EndedList, r.Clock.Now().Add(time.Hour), 10); err != nil || len(left) != 0 {
		t.Errorf("still due: %v, %v", left, err)
	}
}

// TestEndedRunIsFoldedIn lets the stream show the end of one run, and leaves that of
// another to the schedule.
func TestEndedRunIsFoldedIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	shown, missed := r.create(t, infraRepository, run.Plan, "a"), r.create(t, infraRepository, run.Apply, "b")
	for _, id := range []run.ID{shown, missed} {
		r.show(t, id)
		r.report(t, id)
	}
	waits := func(id run.ID) bool {
		open, err := r.runs.Unfolded(t.Context(), r.get(t, id))
		if err != nil {
			t.Fatal(err)
		}
		return open
	}
	if back := r.show(t, shown); len(back) != 0 || waits(shown) || !waits(missed) {
		t.Errorf("given back: %v; the first run waits: %t, the second one: %t", back, waits(shown), waits(missed))
	}
	r.Clock.Add(2 * time.Minute)
	if r.minute(t); waits(missed) {
		t.Error("the schedule did not fold the second run in")
	}
	page, err := standing.Lists{Store: standingOver(r.Env), Runs: r.runs}.List(t.Context(), infraRepository.Installation, runindex.Request[standing.Place]{Limit: 9})
	if err != nil || len(page.Rows) != 2 || page.Rows[0].Plan.Run != shown || page.Rows[1].Apply.Run != missed || len(page.Rows[1].Outputs.List) != 1 {
		t.Errorf("%+v, %v", page.Rows, err)
	}
	if left, err := r.runs.Due(t.Context(), runstore.EndedList, r.Clock.Now().Add(time.Hour), 10); err != nil || len(left) != 0 {
		t.Errorf("still due: %v, %v", left, err)
	}
}

// report stores the result of a run, as its runner does, and completes the run.
func (r *rig) report(t testing.TB, id run.ID) {
	t.Helper()
	of := r.get(t, id)
	var steps []string
	for _, d := range of.Dirspaces {
		steps = append(steps, `{"step":"tf/`+string(of.Type)+`","success":true,"scope":{"type":"dirspace","dir":"`+d.Dir+`","workspace":"default"},
			"payload":{"outputs":{"url":{"sensitive":false,"value":"https://a"}}}}`)
	}
	found, err := result.Decode([]byte(`{"steps":[` + strings.Join(steps, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := outputsOver(r.Env).Put(t.Context(), id, found, r.Clock.Now().Add(r.runs.Limits.Keep))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.runs.Complete(t.Context(), id, run.Result{
		Outcomes: found.Outcomes(of.Dirspaces), Success: found.Success, Steps: stored.Steps, Payload: stored.Payload,
	}, r.author()); err != nil {
		t.Fatal(err)
	}
}

func TestJobOfARunThatAPersonAbortedIsCancelled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, on := range []struct {
		id run.ID
		ci *vcstest.CI
	}{{r.create(t, infraRepository, run.Apply, "a"), &r.github.CI}, {r.create(t, otherRepository, run.Apply, "a"), &r.gitlab.CI}} {
		r.show(t, on.id)
		if _, _, err := r.runs.Abort(t.Context(), on.id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, r.author()); err != nil {
			t.Fatal(err)
		}
		r.show(t, on.id)
		if job := on.ci.Runs()[0]; job.Conclusion != "cancelled" && job.Status != "canceled" {
			t.Errorf("the job is %+v", job)
		}
	}
}

// TestSweepHasTheRightsForAllItsWork lets each list have an entry, under the function's
// role.
func TestSweepHasTheRightsForAllItsWork(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dead := r.create(t, infraRepository, run.Apply, "a")
	r.minute(t)
	started := r.create(t, infraRepository, run.Plan, "b")
	r.minute(t)
	if _, err := r.runs.Initiate(t.Context(), started, runstore.CIJob{Run: r.get(t, started).Dispatch.ID, Commit: "bb"}, r.author()); err != nil {
		t.Fatal(err)
	}
	lost := r.create(t, otherRepository, run.Plan, "b")
	r.gitlab.Fail(vcstest.Failure{Match: "/pipeline", Status: 502})
	r.minute(t)
	limited := r.create(t, infraRepository, run.Plan, "c")
	r.github.Fail(vcstest.Failure{Match: "/dispatches", Status: 429, Times: 1})
	for range 20 {
		r.minute(t)
	}
	for id, want := range map[run.ID]run.ReasonCode{dead: run.NeverStarted, lost: run.NeverStarted, started: "", limited: run.NeverStarted} {
		if got := r.get(t, id); got.Reason.Code != want {
			t.Errorf("%s: %s because of %q, want %q", got.Type, got.State, got.Reason.Code, want)
		}
	}
}

func TestUnfinishedCreationIsRemovedByTheSweep(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := run.NewID()
	bucket, name := r.Env.Bucket("RunsBucket"), runstore.ManifestObject(id)
	manifest := func() error {
		_, err := r.Env.S3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &name})
		return err
	}
	creating := runstore.Creation{
		Spec: run.Spec{
			ID: id, Repository: infraRepository, Owner: "acme", Name: "infra", Type: run.Plan, Kind: run.Kind{Name: run.Branch},
			Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "main", Commit: "aa"}, Principal: "ann",
			Dirspaces: []run.Dirspace{{Dir: "a", Workspace: "default"}},
		},
		Token: runstore.Token{Hash: []byte("h"), Sealed: []byte("s")}, Manifest: runstore.Manifest{Object: runstore.ManifestObject(id)},
		Before: func(ctx context.Context) error {
			_, err := r.Env.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &name, Body: strings.NewReader("{}")})
			return errors.Join(err, errors.New("the function was killed"))
		},
	}
	if _, err := r.runs.Create(t.Context(), creating, r.author()); err == nil {
		t.Fatal("the creation was finished")
	}
	if err := manifest(); r.item(t, id) == nil || err != nil {
		t.Fatalf("nothing is left of the creation (%v)", err)
	}
	r.Clock.Add(time.Hour)
	r.minute(t)
	if item := r.item(t, id); item != nil {
		t.Errorf("left: %v", item)
	}
	if err := manifest(); err == nil {
		t.Error("the manifest is left")
	}
}

// TestFailureOfTheStorageGivesTheRepositoryBack fails the storage for one of two
// repositories.
func TestFailureOfTheStorageGivesTheRepositoryBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t, infraRepository, run.Plan, "a")
	r.Faults.Add(storagetest.Fault{Operation: "Query", Kind: storagetest.Refuse})
	if back := r.show(t, id); !slices.Equal(back, []string{"1"}) {
		t.Errorf("given back: %v", back)
	}
	r.Faults.Clear()
	if back := r.show(t, id); len(back) != 0 || len(r.github.CI.Runs()) != 1 {
		t.Errorf("given back: %v; %d jobs", back, len(r.github.CI.Runs()))
	}
}

func TestRecordThatCannotBeReadDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t, infraRepository, run.Plan, "a")
	bad := r.record(t, id, "1")
	bad.Change.NewImage["seq"] = events.NewStringAttribute("one")
	if back := r.send(t, bad, r.record(t, id, "2")); len(back) != 0 || len(r.github.CI.Runs()) != 1 {
		t.Errorf("given back: %v; %d jobs", back, len(r.github.CI.Runs()))
	}
	if log := r.Log.String(); !strings.Contains(log, "a run cannot be read") {
		t.Errorf("the log is %s", log)
	}
}

// TestStreamShowsQueuedAndEndedRunsAlone checks the filter of the template with the
// records of a run's life.
func TestStreamShowsQueuedAndEndedRunsAlone(t *testing.T) {
	t.Parallel()
	stack, err := template.Load("../../template.yaml", template.Options{Name: func(logicalID string) string { return logicalID }})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(stack.Functions, func(f template.Function) bool { return f.LogicalID == "DispatcherFunction" })
	filters := stack.Functions[i].Streams[0].Filters
	for _, c := range []struct {
		event, sort, before, now string
		want                     bool
	}{
		{"INSERT", "RUN", "", "creating", false},
		{"MODIFY", "RUN", "creating", "queued", true},
		{"MODIFY", "RUN", "queued", "queued", false},
		{"MODIFY", "RUN", "queued", "running", false},
		{"MODIFY", "RUN", "queued", "aborted", true},
		{"MODIFY", "RUN", "queued", "completed", true},
		{"MODIFY", "RUN", "running", "aborted", true},
		{"MODIFY", "RUN", "running", "completed", true},
		{"MODIFY", "RUN", "completed", "completed", false},
		{"REMOVE", "RUN", "completed", "", false},
		{"MODIFY", "ACTIVE#0000000000000001", "queued", "completed", false},
	} {
		image := func(state string) map[string]any { return map[string]any{"state": map[string]any{"S": state}} }
		change := map[string]any{"Keys": map[string]any{"sk": map[string]any{"S": c.sort}}}
		if c.before != "" {
			change["OldImage"] = image(c.before)
		}
		if c.now != "" {
			change["NewImage"] = image(c.now)
		}
		record := map[string]any{"eventName": c.event, "dynamodb": change}
		if got := slices.ContainsFunc(filters, func(p template.Pattern) bool { return p.Matches(record) }); got != c.want {
			t.Errorf("%s of %s from %q to %q: shown %t", c.event, c.sort, c.before, c.now, got)
		}
	}
}
