package runstore_test

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// TestInitiateDecidesByTheTable has a row for each situation in which a runner asks
// for its work.
func TestInitiateDecidesByTheTable(t *testing.T) {
	t.Parallel()
	other := job("1")
	other.Commit = "cc"
	for name, c := range map[string]struct {
		change  func(*runstore.Creation)
		before  func(*testing.T, runstore.Store, run.ID)
		job     runstore.CIJob
		work    bool
		aborted bool
		state   run.State
		ciRun   string
		reason  run.ReasonCode
	}{
		"first runner":                {before: claimed, job: job("1"), work: true, state: run.Running, ciRun: "1"},
		"same runner again":           {before: running, job: job("1"), work: true, state: run.Running, ciRun: "1"},
		"second runner":               {before: running, job: job("2"), state: run.Running, ciRun: "1"},
		"wrong commit":                {before: claimed, job: other, aborted: true, state: run.Aborted, ciRun: "1", reason: run.WrongCommit},
		"wrong commit of a running":   {before: running, job: other, state: run.Running, ciRun: "1"},
		"second runner, wrong commit": {before: running, job: runstore.CIJob{Run: "2", Commit: "cc"}, state: run.Running, ciRun: "1"},
		"wrong commit where the base is the branch": {
			change: func(c *runstore.Creation) { c.Spec.Base = c.Spec.Source }, before: claimed, job: other, work: true, state: run.Running, ciRun: "1",
		},
		"nobody has claimed it": {before: func(*testing.T, runstore.Store, run.ID) {}, job: job("1"), state: run.Queued},
		"completed": {before: func(t *testing.T, s runstore.Store, id run.ID) {
			running(t, s, id)
			if _, err := s.Complete(t.Context(), id, done(1), at(0)); err != nil {
				t.Fatal(err)
			}
		}, job: job("1"), state: run.Completed, ciRun: "1"},
		"aborted": {before: func(t *testing.T, s runstore.Store, id run.ID) {
			abort(t, s, id)
		}, job: job("1"), state: run.Aborted, reason: run.ByPerson},
		"dispatch failed for a time": {before: func(t *testing.T, s runstore.Store, id run.ID) {
			if _, err := s.DispatchFailed(t.Context(), claim(t, s, id, 0), "timeout", born.Add(time.Hour), at(0)); err != nil {
				t.Fatal(err)
			}
		}, job: job("1"), work: true, state: run.Running, ciRun: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s := open(t)
			create := creation(run.Apply, dirs("net"))
			if c.change != nil {
				c.change(&create)
			}
			made, err := s.Create(t.Context(), create, at(0))
			if err != nil {
				t.Fatal(err)
			}
			c.before(t, s, made.Run.ID)
			for n := range 2 { // a repetition has the same outcome, but aborts nothing again
				got, err := s.Initiate(t.Context(), made.Run.ID, c.job, at(time.Second))
				if err != nil {
					t.Fatal(err)
				}
				if got.Work != c.work || got.Aborted != (c.aborted && n == 0) || got.Run.State != c.state || got.Run.CIRun != c.ciRun || got.Run.Reason.Code != c.reason {
					t.Fatalf("call %d: got work %t, aborted %t, %s, CI run %q, reason %q", n+1, got.Work, got.Aborted, got.Run.State, got.Run.CIRun, got.Run.Reason.Code)
				}
				if (string(got.Manifest.Body) != "") != c.work || (string(got.Sealed) != "") != c.work {
					t.Errorf("call %d: got the manifest %q and the token %q", n+1, got.Manifest.Body, got.Sealed)
				}
			}
			if found, err := s.ByCIRun(t.Context(), repository, "1"); (err == nil) != (c.ciRun == "1") || err == nil && found.ID != made.Run.ID {
				t.Errorf("by CI run: %s, %v", found.ID, err)
			}
		})
	}
}

func claimed(t *testing.T, s runstore.Store, id run.ID) { claim(t, s, id, 0) }

func running(t *testing.T, s runstore.Store, id run.ID) {
	claim(t, s, id, 0)
	if _, err := s.Initiate(t.Context(), id, job("1"), at(0)); err != nil {
		t.Fatal(err)
	}
}

func abort(t *testing.T, s runstore.Store, id run.ID) {
	t.Helper()
	if _, ok, err := s.Abort(t.Context(), id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, at(0)); err != nil || !ok {
		t.Fatalf("abort: %t, %v", ok, err)
	}
}

func TestRunnerMustNameItsCIRun(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	id := create(t, s, creation(run.Plan, dirs("net")), 0).ID
	claim(t, s, id, 0)
	if got, err := s.Initiate(t.Context(), id, job(""), at(0)); err == nil {
		t.Errorf("got %+v", got)
	}
}
