package runstore_test

import (
	"slices"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// TestPlansOfAClosedPullRequestAreLookedAtOnce states a pull request as closed again and
// again, after each of three runs, and looks at two runs at a time.
func TestPlansOfAClosedPullRequestAreLookedAtOnce(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ctx := t.Context()
	closed := func(after time.Duration) runstore.Closed {
		t.Helper()
		if err := runstoreTable(s).Transact(ctx, s.WriteClosed(repository, 17, born.Add(after))); err != nil {
			t.Fatal(err)
		}
		list, err := s.ClosedDue(ctx, born.Add(after), 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("due: %+v, %v", list, err)
		}
		return list[0]
	}
	// sweep looks at everything, and returns the runs that it has seen.
	sweep := func(c runstore.Closed, after time.Duration) (seen []run.ID) {
		t.Helper()
		for {
			list, err := s.OfClosed(ctx, c, 2)
			if err != nil || len(list) > 2 {
				t.Fatalf("%d runs, %v", len(list), err)
			}
			if len(list) == 0 {
				break
			}
			for _, r := range list {
				seen = append(seen, r.ID)
			}
			for range 2 { // it is safe to repeat
				if err := s.PlansGone(ctx, c, list[len(list)-1], born.Add(after)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.DoneClosed(ctx, c); err != nil {
			t.Fatal(err)
		}
		return seen
	}
	var want []run.ID
	for n := range 3 {
		want = append(want, create(t, s, creation(run.Plan, dirs("a")), time.Duration(n)*time.Second).ID)
	}
	other := creation(run.Plan, dirs("a"))
	other.Spec.Kind.Number = 18
	create(t, s, other, 0)
	if got := sweep(closed(time.Minute), time.Minute); !slices.Equal(got, want) {
		t.Errorf("after it was closed: got %v, want %v", got, want)
	}
	if got := sweep(closed(2*time.Minute), 2*time.Minute); len(got) != 0 {
		t.Errorf("stated again: got %v", got)
	}
	later := create(t, s, creation(run.Plan, dirs("a")), 3*time.Minute).ID
	if got := sweep(closed(4*time.Minute), 4*time.Minute); !slices.Equal(got, []run.ID{later}) {
		t.Errorf("closed again after another run: got %v, want %s", got, later)
	}
	if got := sweep(closed(time.Second), 4*time.Minute); len(got) != 0 {
		t.Errorf("an older statement that comes late: got %v", got)
	}
}
