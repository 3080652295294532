package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/dispatch"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func contextUntil(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

func TestRunEndsWhenItsHostSaysThatTheJobIsOver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		on                 vcs.Repository
		status, conclusion string
		code               run.ReasonCode
	}{
		{onGitHub, "completed", "failure", run.JobFailed},
		{onGitHub, "completed", "cancelled", run.JobCancelled},
		{onGitHub, "completed", "timed_out", run.JobTimedOut},
		{onGitHub, "completed", "startup_failure", run.JobNotStarted},
		{onGitHub, "completed", "success", run.JobWithoutResult},
		{onGitLab, "failed", "", run.JobFailed},
		{onGitLab, "canceled", "", run.JobCancelled},
		{onGitLab, "skipped", "", run.JobNotStarted},
		{onGitLab, "success", "", run.JobWithoutResult},
	} {
		for _, began := range []bool{false, true} {
			name := fmt.Sprintf("%s %s %s, began %t", c.on.Installation.VCS, c.status, c.conclusion, began)
			w := newWorld(t)
			id := w.plan(t, c.on)
			w.dispatch(t, c.on)
			ci := w.ci(c.on).Runs()[0]
			if began {
				job := fmt.Sprint(ci.ID)
				if c.on == onGitLab {
					job = "555"
				}
				w.initiate(t, id, job)
			}
			w.minutes(t, 1)
			w.ci(c.on).Set(ci.ID, c.status, c.conclusion)
			w.minutes(t, 1)
			if began {
				w.minutes(t, 9)
			}
			r := w.get(t, id)
			if r.State != run.Aborted || r.Reason.Code != c.code || !strings.Contains(r.Reason.Text, fmt.Sprint(ci.ID)) {
				t.Errorf("%s: %s because of %q (%s)", name, r.State, r.Reason.Code, r.Reason.Text)
			}
		}
	}
}

func TestRunEndsWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	for _, on := range []vcs.Repository{onGitHub, onGitLab} {
		w := newWorld(t)
		id := w.plan(t, on)
		w.dispatch(t, on)
		w.minutes(t, 14)
		if r := w.get(t, id); r.State != run.Queued {
			t.Fatalf("%s: ended too early: %+v", on, r.Reason)
		}
		w.minutes(t, 2) // the second one cancels the job
		if r := w.get(t, id); r.Reason.Code != run.NeverStarted || !cancelled(w.ci(on).Runs()[0]) {
			t.Errorf("%s: %s, %+v; the job is %+v", on, r.State, r.Reason, w.ci(on).Runs()[0])
		}

		id = w.plan(t, on)
		w.dispatch(t, on)
		w.initiate(t, id, "9002")
		w.pass(24*time.Hour - time.Minute)
		w.sweep(t)
		if r := w.get(t, id); r.State != run.Running {
			t.Fatalf("%s: ended too early: %+v", on, r.Reason)
		}
		w.minutes(t, 2)
		if r := w.get(t, id); r.Reason.Code != run.NeverReported {
			t.Errorf("%s: %s, %+v", on, r.State, r.Reason)
		}
	}
}

// TestHostThatIsAwayDoesNotKeepRunsFromTheirEnd lets all requests to a host fail.
func TestHostThatIsAwayDoesNotKeepRunsFromTheirEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.plan(t, onGitHub)
	w.dispatch(t, onGitHub)
	w.github.Fail(vcstest.Failure{Status: 503})
	w.minutes(t, 16)
	if r := w.get(t, id); r.Reason.Code != run.NeverStarted {
		t.Errorf("%s, %+v", r.State, r.Reason)
	}
	w.minutes(t, 70) // it is tried to cancel the job, for an hour
	list, err := w.runs.Due(t.Context(), runstore.EndedList, w.now().Add(1000*time.Hour), 10)
	if err != nil || len(list) != 0 {
		t.Errorf("still due: %v, %v", list, err)
	}
}

// TestResultThatArrivesWhileTheHostIsAskedCounts completes a run between the request to
// the host and the decision.
func TestResultThatArrivesWhileTheHostIsAskedCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.plan(t, onGitHub)
	w.dispatch(t, onGitHub)
	w.initiate(t, id, "9001")
	w.github.CI.Set(9001, "completed", "success")
	w.github.Choose(func(request string) *vcstest.Failure {
		if strings.Contains(request, "/actions/runs/9001") {
			if _, err := w.runs.Complete(t.Context(), id, run.Result{Outcomes: make([]run.Outcome, 1), Success: true}, w.author()); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	w.minutes(t, 11)
	if r := w.get(t, id); r.State != run.Completed {
		t.Errorf("%s, %+v", r.State, r.Reason)
	}
}

func TestJobOfARunThatAPersonEndedIsCancelled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason run.Reason
		of     run.Type
		began  bool
		want   bool
	}{
		{run.ReasonByPerson("ann"), run.Apply, true, true},
		{run.ReasonUnlocked("ann"), run.Apply, true, true},
		{run.ReasonUnlocked("ann"), run.Plan, false, true},
		{run.ReasonSuperseded(run.NewID()), run.Plan, true, true},
		{run.ReasonSuperseded(run.NewID()), run.Apply, true, false},
		{run.ReasonSuperseded(run.NewID()), run.Apply, false, true},
		{run.ReasonRepositoryRemoved(), run.Apply, true, false},
		{run.ReasonJobFailed("x"), run.Plan, true, false},
	} {
		w := newWorld(t)
		id := w.create(t, spec(onGitHub, c.of, "a"))
		w.dispatch(t, onGitHub)
		if c.began {
			w.initiate(t, id, "9001")
		}
		if _, _, err := w.runs.Abort(t.Context(), id, runstore.Abortion{Reason: c.reason}, w.author()); err != nil {
			t.Fatal(err)
		}
		w.github.Fail(vcstest.Failure{Match: "/cancel", Status: 502})
		w.minutes(t, 3)
		w.github.Heal()
		w.minutes(t, 1)
		if got := cancelled(w.github.CI.Runs()[0]); got != c.want {
			t.Errorf("%s of %s, began %t: cancelled %t", c.reason.Code, c.of, c.began, got)
		}
		asked := w.github.Asked("POST /repos/acme/infra/actions/runs/")
		w.minutes(t, 3)
		if w.github.Asked("POST /repos/acme/infra/actions/runs/") != asked {
			t.Errorf("%s: the host is asked again and again", c.reason.Code)
		}
	}
}

func TestPlansOfAnApplyAreRemovedEvenIfThatFailsAtFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, spec(onGitHub, run.Apply, "a"))
	w.dispatch(t, onGitHub)
	w.initiate(t, id, "9001")
	if _, err := w.runs.Complete(t.Context(), id, run.Result{Outcomes: make([]run.Outcome, 1), Success: true}, w.author()); err != nil {
		t.Fatal(err)
	}
	w.plans.fails = errors.New("the bucket is away")
	w.pass(time.Minute)
	if err := w.dispatcher().Sweep(t.Context()); err == nil {
		t.Error("a failure was not reported")
	}
	w.plans.fails = nil
	w.minutes(t, 2)
	if n := w.plans.removed[id]; n != 2 {
		t.Errorf("the plans were removed %d times, want 2: once in vain", n)
	}
}

func TestCreationThatWasNotFinishedIsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := spec(onGitHub, run.Plan, "a")
	fails := errors.New("killed")
	_, err := w.runs.Create(t.Context(), runstore.Creation{
		Spec: s, Token: runstore.Token{Hash: []byte("h"), Sealed: []byte("s")}, Manifest: runstore.Manifest{Body: []byte("{}")},
		Before: func(context.Context) error { return fails },
	}, w.author())
	if !errors.Is(err, fails) {
		t.Fatal(err)
	}
	var removed []run.ID
	d := w.dispatcher()
	d.Unfinished = func(_ context.Context, r run.Run) error { removed = append(removed, r.ID); return nil }
	w.pass(59 * time.Minute)
	if err := d.Sweep(t.Context()); err != nil || len(removed) != 0 {
		t.Fatalf("removed %v, %v", removed, err)
	}
	w.pass(time.Minute)
	if err := d.Sweep(t.Context()); err != nil || len(removed) != 1 || removed[0] != s.ID {
		t.Errorf("removed %v, %v", removed, err)
	}
}

// waitingHost responds only after another installation's host was asked.
type waitingHost struct {
	dispatch.Host
	other <-chan struct{}
}

func (h waitingHost) CIProgress(ctx context.Context, _ vcs.Description, _ string) (vcshost.CIProgress, error) {
	select {
	case <-h.other:
	case <-ctx.Done():
	}
	return vcshost.CIProgress{}, vcshost.ErrNoAnswer
}

// asked reports that a host is asked.
type asked struct {
	dispatch.Host
	report func()
}

func (h asked) CIProgress(ctx context.Context, r vcs.Description, id string) (vcshost.CIProgress, error) {
	h.report()
	return h.Host.CIProgress(ctx, r, id)
}

func TestHostThatDoesNotRespondKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.plan(t, onGitHub)
	}
	id := w.plan(t, onGitLab)
	w.dispatch(t, onGitHub)
	w.dispatch(t, onGitLab)
	w.gitlab.CI.Set(w.gitlab.CI.Runs()[0].ID, "failed", "")
	w.pass(3 * time.Minute)
	d, other := w.dispatcher(), make(chan struct{})
	open, report := d.Open, sync.OnceFunc(func() { close(other) })
	d.Open = func(ctx context.Context, i vcs.Installation) (dispatch.Host, error) {
		h, err := open(ctx, i)
		if i == onGitHub.Installation {
			return waitingHost{h, other}, err
		}
		return asked{h, report}, err
	}
	if err := d.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := w.get(t, id); r.Reason.Code != run.JobFailed {
		t.Errorf("got %s, %+v", r.State, r.Reason)
	}
	select {
	case <-other:
	default:
		t.Error("the host of the other installation was not asked")
	}
}

// overdue is a host that does not respond in time.
type overdue struct {
	dispatch.Host
	calls *atomic.Int64
}

func (h overdue) CIProgress(context.Context, vcs.Description, string) (vcshost.CIProgress, error) {
	h.calls.Add(1)
	return vcshost.CIProgress{}, fmt.Errorf("read: %w", context.DeadlineExceeded)
}

func TestHostThatTookTooLongIsNotAskedAgainInASweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 * 4 {
		w.plan(t, onGitHub)
	}
	w.dispatch(t, onGitHub)
	w.pass(3 * time.Minute)
	d := w.dispatcher()
	open := d.Open
	var calls atomic.Int64
	d.Open = func(ctx context.Context, i vcs.Installation) (dispatch.Host, error) {
		h, err := open(ctx, i)
		return overdue{h, &calls}, err
	}
	if err := d.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := calls.Load(); n > 4 {
		t.Errorf("the host was asked %d times", n)
	}
}
