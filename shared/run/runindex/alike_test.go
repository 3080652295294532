package runindex_test

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run"
)

// TestRunsOfOnePlaceAreThoseOfANaiveSearch compares what Alike yields with all runs.
func TestRunsOfOnePlaceAreThoseOfANaiveSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storagetest.New(t), 7)
	for range 60 {
		w.create()
		w.change()
	}
	all := w.runs()
	for _, like := range all {
		for _, of := range []run.Type{run.Plan, run.Apply} {
			want := map[run.ID]bool{}
			for _, r := range all {
				if r.Repository == like.Repository && r.Origin() == like.Origin() && r.Kind.Name == like.Kind.Name && r.Type.Shown() == of &&
					(like.Kind.Name == run.PullRequest || r.Source.Branch == like.Source.Branch) {
					want[r.ID] = true
				}
			}
			last := born.Add(24 * time.Hour)
			for r, err := range w.index.Alike(t.Context(), like.Spec, of) {
				if err != nil {
					t.Fatal(err)
				}
				if !want[r.ID] || r.CreatedAt.After(last) {
					t.Errorf("%s like %s: got %s at %s, after %s", of, like.ID, r.ID, r.CreatedAt, last)
				}
				delete(want, r.ID)
				last = r.CreatedAt
			}
			if len(want) != 0 {
				t.Errorf("%s like %s: %d runs are missing", of, like.ID, len(want))
			}
		}
	}
}

func TestActiveRunsAreCountedByUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storagetest.New(t), 8)
	for range 20 {
		w.create()
		w.change()
	}
	all, own := 0, 0
	for _, r := range w.runs() {
		if r.State.Active() {
			if all++; r.User == "ann" {
				own++
			}
		}
	}
	if gotAll, gotOwn, err := w.index.Active(t.Context(), installation, "ann", 100); err != nil || gotAll != all || gotOwn != own {
		t.Errorf("got %d, %d, %v; want %d, %d", gotAll, gotOwn, err, all, own)
	}
	if got, _, err := w.index.Active(t.Context(), installation, "", 2); err != nil || got != min(all, 2) {
		t.Errorf("with a limit: got %d, %v", got, err)
	}
}
