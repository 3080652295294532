package dispatch_test

import (
	"errors"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestEndOfEachRunIsToBeEvaluated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		on     vcs.Repository
		kind   run.Kind
		reason run.Reason // zero: it completes
		want   bool
		queued bool // it ends before it is started
	}{
		"completed, GitHub":       {onGitHub, run.Kind{Name: run.PullRequest, Number: 17}, run.Reason{}, true, false},
		"completed, GitLab":       {onGitLab, run.Kind{Name: run.PullRequest, Number: 17}, run.Reason{}, true, false},
		"aborted by a person":     {onGitHub, run.Kind{Name: run.PullRequest, Number: 17}, run.ReasonByPerson("ann"), true, false},
		"aborted in the queue":    {onGitHub, run.Kind{Name: run.PullRequest, Number: 17}, run.ReasonByPerson("ann"), true, true},
		"its job failed":          {onGitLab, run.Kind{Name: run.PullRequest, Number: 17}, run.ReasonJobFailed("x"), true, false},
		"of drift":                {onGitHub, run.Kind{Name: run.Drift}, run.Reason{}, true, false},
		"of a branch":             {onGitHub, run.Kind{Name: run.Branch}, run.ReasonJobFailed("x"), true, false},
		"of a repository removed": {onGitHub, run.Kind{Name: run.PullRequest, Number: 17}, run.ReasonRepositoryRemoved(), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := spec(c.on, run.Plan, "a")
			s.Kind = c.kind
			id := w.create(t, s)
			if !c.queued {
				w.dispatch(t, c.on)
				w.initiate(t, id, "9001")
			}
			w.end(t, id, c.reason)
			w.minutes(t, 3)
			var want []lane.Request
			if c.want {
				want = []lane.Request{{Kind: lane.Ended, Repository: c.on, Number: c.kind.Number, Run: id, At: w.get(t, id).EndedAt}}
			}
			if got := w.lanes.of(id); len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// end completes a run, or aborts it for a reason.
func (w *world) end(t *testing.T, id run.ID, reason run.Reason) {
	t.Helper()
	var err error
	if reason.Code == "" {
		_, err = w.runs.Complete(t.Context(), id, run.Result{Outcomes: make([]run.Outcome, 1), Success: true}, w.author())
	} else {
		_, _, err = w.runs.Abort(t.Context(), id, runstore.Abortion{Reason: reason}, w.author())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestEvaluationOfAnEndWaitsForNoHost aborts a run while the host refuses to cancel its job.
func TestEvaluationOfAnEndWaitsForNoHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.plan(t, onGitHub)
	w.dispatch(t, onGitHub)
	var before int
	w.github.Choose(func(string) *vcstest.Failure {
		before = len(w.lanes.of(id))
		return &vcstest.Failure{Status: 502}
	})
	w.end(t, id, run.ReasonByPerson("ann"))
	w.minutes(t, 1)
	if before != 1 {
		t.Errorf("the evaluation was asked for %d times before the host, want once", before)
	}
}

func TestEndThatNobodyCouldBeAskedToEvaluateIsAskedForAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.plan(t, onGitHub)
	w.dispatch(t, onGitHub)
	w.initiate(t, id, "9001")
	w.end(t, id, run.Reason{})
	w.lanes.fails = errors.New("the table is away")
	w.pass(time.Minute)
	if err := w.dispatcher().Sweep(t.Context()); !errors.Is(err, w.lanes.fails) {
		t.Errorf("got %v", err)
	}
	w.lanes.fails = nil
	w.minutes(t, 3)
	if got := w.lanes.of(id); len(got) != 1 {
		t.Errorf("asked %d times, want once", len(got))
	}
}
