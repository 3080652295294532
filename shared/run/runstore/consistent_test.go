package runstore_test

import (
	"slices"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// lists are all lists of what is due.
var lists = []runstore.List{runstore.CreatingList, runstore.DispatchList, runstore.StartList, runstore.ReportList}

func runstoreTable(s runstore.Store) table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// consistent checks that all that is stored of the runs of the repository agrees with
// the runs' own items. It returns the visible runs in the order of their Seq. folded
// are the runs whose row was removed because their results were folded in.
func consistent(t testing.TB, s runstore.Store, folded ...run.ID) []run.Run {
	t.Helper()
	ctx := t.Context()
	items, err := runstoreTable(s).All(ctx, table.Query{Key: []table.Condition{table.Equal("pk", attr.String("RUNS#github#7"))}})
	if err != nil {
		t.Fatal(err)
	}
	var runs []run.Run
	last := int64(0)
	for _, item := range items {
		r, err := s.Get(ctx, run.ID(attr.Read(item).String("id")))
		if err != nil {
			t.Fatalf("a run that got a place in the order is lost: %v", err)
		}
		if r.Seq <= last {
			t.Errorf("the run after place %d has the place %d", last, r.Seq)
		}
		last = r.Seq
		runs = append(runs, r)
	}
	rows, err := s.Active(ctx, repository)
	if err != nil {
		t.Fatal(err)
	}
	held := map[run.Dirspace]run.ID{}
	for _, r := range runs {
		at := slices.IndexFunc(rows, func(a runstore.Active) bool { return a.ID == r.ID })
		stays := r.State.Active() || !slices.Contains(folded, r.ID) && (r.State == run.Completed || r.Type.IsApply() && r.Dispatch.Claimed())
		if (at >= 0) != stays {
			t.Errorf("a run that is %s is among the active runs: %t", r.State, at >= 0)
		}
		if at >= 0 {
			a := rows[at]
			same := a.Seq == r.Seq && a.State == r.State && a.Blocks() == r.Blocks() && a.Type == r.Type && a.Origin == r.Origin() && (a.Dirspaces == nil || slices.Equal(a.Dirspaces, r.Dirspaces))
			// A completion depends on the state alone, so these may be a moment older in
			// its row. Nobody needs them then.
			if !r.State.Ended() {
				same = same && a.Attempt == r.Dispatch.Attempt && a.Lease.Equal(r.Dispatch.Lease) && a.Dispatched == r.Dispatch.Dispatched() && a.CIRun == r.CIRun
			}
			if !same {
				t.Errorf("the row %+v is not that of %+v", a, r)
			}
		}
		if r.Blocks() {
			for _, d := range r.Dirspaces {
				if other, twice := held[d]; twice {
					t.Errorf("two applies of %s are under way: %s and %s", d, other, r.ID)
				}
				held[d] = r.ID
			}
		}
		if r.State == run.Aborted && r.Reason.Text == "" || r.State != run.Aborted && r.Reason != (run.Reason{}) || (r.State == run.Completed) != (r.Result != nil) {
			t.Errorf("a run that is %s has the reason %q and the result %v", r.State, r.Reason.Code, r.Result)
		}
	}
	reminded(t, s, runs)
	return runs
}

// reminded checks that each run that has not ended has exactly one reminder that is
// not stale.
func reminded(t testing.TB, s runstore.Store, runs []run.Run) {
	t.Helper()
	live := map[run.ID]int{}
	for _, list := range lists {
		entries, err := s.Due(t.Context(), list, born.Add(10_000*time.Hour), 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range entries {
			_, stale, err := s.Stale(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			if !stale {
				live[d.ID]++
			}
		}
	}
	for _, r := range runs {
		want := 1
		if r.State.Ended() {
			want = 0
		}
		if live[r.ID] != want {
			t.Errorf("a run that is %s has %d reminders, want %d", r.State, live[r.ID], want)
		}
	}
}
