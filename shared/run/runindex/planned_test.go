package runindex_test

import (
	"errors"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
)

// TestPlansAtACommitAreThoseOfANaiveSearch compares what Plans yields with all runs.
func TestPlansAtACommitAreThoseOfANaiveSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storagetest.New(t), 7)
	for range 60 {
		w.create()
		w.change()
		w.change()
	}
	all, found := w.runs(), 0
	for _, like := range all {
		want := map[run.ID]bool{}
		for _, r := range all {
			if r.Repository == like.Repository && r.Origin() == like.Origin() && r.Source.Commit == like.Source.Commit && r.Type.IsPlan() && r.State == run.Completed {
				want[r.ID] = true
			}
		}
		last := born.Add(24 * time.Hour)
		for r, err := range w.index.Plans(t.Context(), like.Spec) {
			if err != nil {
				t.Fatal(err)
			}
			if !want[r.ID] || r.CreatedAt.After(last) {
				t.Errorf("like %s: got %s at %s, after %s", like.ID, r.ID, r.CreatedAt, last)
			}
			delete(want, r.ID)
			last = r.CreatedAt
			found++
		}
		if len(want) != 0 {
			t.Errorf("like %s: %d plans are missing", like.ID, len(want))
		}
	}
	if found < 30 {
		t.Errorf("%d plans were found: too few to show anything", found)
	}
}

// TestPlansSayThatThereAreMoreThanTheyLookAt looks at fewer plans than there are, and at
// as many.
func TestPlansSayThatThereAreMoreThanTheyLookAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storagetest.New(t), 9)
	for range 4 {
		s := w.spec()
		s.Type, s.Kind, s.Source.Commit = run.Plan, run.Kind{Name: run.Branch}, "bb"
		s.Source.Branch, s.Repository = "main", installation.Repository("7")
		s.Dirspaces = []run.Dirspace{{Dir: "a", Workspace: "default"}}
		w.createAs(s)
		if _, err := w.store.Complete(t.Context(), s.ID, run.Result{Success: true, Outcomes: []run.Outcome{run.HasResult | run.Succeeded}}, w.author()); err != nil {
			t.Fatal(err)
		}
	}
	like := w.get(w.made[0]).Spec
	for limit, want := range map[int]error{3: runindex.ErrTooManyPlans, 4: nil} {
		seen, last := 0, error(nil)
		for _, err := range w.index.Limited(limit, 100, 100, 1000).Plans(t.Context(), like) {
			if last = err; err == nil {
				seen++
			}
		}
		if seen > limit || want == nil && seen != limit || !errors.Is(last, want) {
			t.Errorf("with a limit of %d: %d plans, then %v; want %v", limit, seen, last, want)
		}
	}
}
