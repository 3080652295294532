package runstore_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

func TestResultsCountOnce(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	id := create(t, s, creation(run.Plan, dirs("net")), 0).ID
	start(t, s, id, "1", 0)
	first, err := s.Complete(t.Context(), id, done(1), at(time.Second))
	if err != nil || first.Repeated {
		t.Fatalf("%+v, %v", first, err)
	}
	other := run.Result{Outcomes: []run.Outcome{run.HasResult}, Steps: 9}
	again, err := s.Complete(t.Context(), id, other, at(time.Hour))
	if err != nil || !again.Repeated || !reflect.DeepEqual(again.Run.Result, first.Run.Result) || again.Run.EndedAt != first.Run.EndedAt {
		t.Errorf("again: %+v, %v", again, err)
	}
	if r, changed, err := s.Abort(t.Context(), id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, at(time.Hour)); err != nil || changed || r.State != run.Completed {
		t.Errorf("abort one that is completed: %s, %t, %v", r.State, changed, err)
	}
}

func TestResultOfAQueuedRunCounts(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	id := create(t, s, creation(run.Plan, dirs("net")), 0).ID
	if c, err := s.Complete(t.Context(), id, done(1), at(time.Minute)); err != nil || c.Run.State != run.Completed || !c.Run.StartedAt.Equal(born.Add(time.Minute)) {
		t.Errorf("%+v, %v", c, err)
	}
	if got := due(t, s, runstore.DispatchList, 1000*time.Hour); len(got) != 0 {
		t.Errorf("it is still due: %v", got)
	}
}

func TestResultOfAnAbortedRunIsRefused(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	id := create(t, s, creation(run.Plan, dirs("net")), 0).ID
	abort(t, s, id)
	if c, err := s.Complete(t.Context(), id, done(1), at(0)); !errors.Is(err, runstore.ErrAborted) || c.Run.Reason.Code != run.ByPerson {
		t.Errorf("%+v, %v", c, err)
	}
	if got, err := s.Get(t.Context(), id); err != nil || got.State != run.Aborted || got.Result != nil || !got.EndedAt.Equal(born) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestResultMustHaveAnOutcomeForEachDirspace(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	id := create(t, s, creation(run.Plan, dirs("net", "app")), 0).ID
	start(t, s, id, "1", 0)
	for _, n := range []int{0, 1, 3} {
		if _, err := s.Complete(t.Context(), id, done(n), at(0)); err == nil {
			t.Errorf("%d outcomes were accepted", n)
		}
	}
	if got := state(t, s, id); got != run.Running {
		t.Errorf("the run is %s", got)
	}
}

func TestAbortKeepsToItsConditions(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	seen := create(t, s, creation(run.Plan, dirs("net")), 0)
	start(t, s, seen.ID, "1", 0)
	why := run.ReasonNeverStarted(time.Minute)
	for name, a := range map[string]runstore.Abortion{"only queued": {Reason: why, OnlyQueued: true}, "as seen": {Reason: why, Version: seen.Version}} {
		if r, changed, err := s.Abort(t.Context(), seen.ID, a, at(0)); !errors.Is(err, runstore.ErrLost) || changed || r.State != run.Running {
			t.Errorf("%s: %s, %t, %v", name, r.State, changed, err)
		}
	}
	now, err := s.Get(t.Context(), seen.ID)
	if err != nil {
		t.Fatal(err)
	}
	if r, changed, err := s.Abort(t.Context(), seen.ID, runstore.Abortion{Reason: why, Version: now.Version}, at(0)); err != nil || !changed || r.Reason != why {
		t.Errorf("%+v, %t, %v", r, changed, err)
	}
}

// TestRowOfARunThatChangedItsDirspacesStays checks which runs are among the active
// ones after their end, until they are folded in.
func TestRowOfARunThatChangedItsDirspacesStays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of     run.Type
		claim  bool
		finish bool
		stays  bool
	}{
		"completed plan":       {run.Plan, true, true, true},
		"completed apply":      {run.Apply, true, true, true},
		"aborted plan":         {run.Plan, true, false, false},
		"aborted apply":        {run.Apply, true, false, true},
		"apply never claimed":  {run.Apply, false, false, false},
		"completed and queued": {run.Plan, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s := open(t)
			id := create(t, s, creation(c.of, dirs("net")), 0).ID
			if c.claim {
				claim(t, s, id, 0)
			}
			folded := func() {
				t.Helper()
				r, err := s.Get(t.Context(), id)
				if err == nil {
					err = s.Folded(t.Context(), r)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			folded()
			if got := active(t, s); len(got) != 1 {
				t.Fatal("a run that has not ended was folded in")
			}
			if c.finish {
				if _, err := s.Complete(t.Context(), id, done(1), at(0)); err != nil {
					t.Fatal(err)
				}
			} else {
				abort(t, s, id)
			}
			if _, stays := active(t, s)[id]; stays != c.stays {
				t.Fatalf("the row stays: %t, want %t", stays, c.stays)
			}
			for range 2 {
				r, err := s.Get(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if open, err := s.Unfolded(t.Context(), r); err != nil || open != c.stays {
					t.Errorf("waits to be folded in: %t, %v, want %t", open, err, c.stays)
				}
				folded()
				if got := active(t, s); len(got) != 0 {
					t.Errorf("left: %v", got)
				}
				c.stays = false
			}
		})
	}
}
