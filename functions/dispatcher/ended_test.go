package main

import (
	"slices"
	"testing"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

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
		lines = append(lines, p.Name())
	}
	slices.Sort(lines)
	return lines
}

// TestEndOfARunIsToBeEvaluated shows the end of a run by the stream, twice, and that of
// another by the schedule.
func TestEndOfARunIsToBeEvaluated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, on := range []vcs.Repository{infraRepository, otherRepository} {
		first, second := r.create(t, on, run.Plan, "a"), r.create(t, on, run.Plan, "b")
		r.show(t, first, second)
		for _, id := range []run.ID{first, second} {
			if _, _, err := r.runs.Abort(t.Context(), id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, r.author()); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.asked(t, on); len(got) != 0 {
			t.Errorf("before the stream shows it: asked for %q", got)
		}
		for range 2 {
			if back := r.show(t, first); len(back) > 0 {
				t.Errorf("given back: %v", back)
			}
		}
		if got := r.asked(t, on); !slices.Equal(got, []string{"ended#" + string(first)}) {
			t.Errorf("after the stream: asked for %q", got)
		}
		r.minute(t)
		want := []string{"ended#" + string(first), "ended#" + string(second)}
		slices.Sort(want)
		if got := r.asked(t, on); !slices.Equal(got, want) {
			t.Errorf("after the schedule: asked for %q, want %q", got, want)
		}
	}
}
