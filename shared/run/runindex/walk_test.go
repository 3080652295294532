package runindex_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runquery"
)

// list is one of the two lists.
type list struct {
	query func() (string, runquery.Query)
	want  func(runquery.Query) []shown
	// pages returns all rows from the beginning, or with backward from the end, in
	// the direction of the walk. between is called after each page.
	pages func(q runquery.Query, limit int, descending, backward bool, between func()) []shown
}

// maxPages is more than any list of the tests has.
const maxPages = 2000

// through walks one page after the other.
func through[T, P any](w *world, limit int, get func(*P) (runindex.Page[T, P], error), form func(T) shown, between func()) []shown {
	var seen []shown
	var from *P
	for range maxPages {
		page, err := get(from)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(page.Rows) > limit {
			w.t.Fatalf("a page has %d rows, want at most %d", len(page.Rows), limit)
		}
		for _, row := range page.Rows {
			seen = append(seen, form(row))
		}
		if from = page.On; from == nil {
			return seen
		}
		between()
	}
	w.t.Fatalf("the pages do not end")
	return nil
}

func (w *world) lists() map[string]list {
	ctx := w.t.Context()
	return map[string]list{
		"runs": {
			query: func() (string, runquery.Query) { return w.query(runquery.Runs, ofRuns) },
			want:  w.wantRuns,
			pages: func(q runquery.Query, limit int, descending, backward bool, between func()) []shown {
				return through(w, limit, func(from *runindex.Place) (runindex.Page[runindex.Run, runindex.Place], error) {
					return w.index.List(ctx, installation, runindex.Request[runindex.Place]{Query: q, Limit: limit, Descending: descending, Backward: backward, From: from})
				}, func(r runindex.Run) shown {
					if len(r.Dirspaces)+r.Omitted != r.DirspaceCount {
						w.t.Fatalf("a run of %d dirspaces has %d, and %d are omitted", r.DirspaceCount, len(r.Dirspaces), r.Omitted)
					}
					return shownRun(r.Run)
				}, between)
			},
		},
		"dirspaces": {
			query: func() (string, runquery.Query) { return w.query(runquery.Dirspaces, ofDirspaces) },
			want:  w.wantDirspaces,
			pages: func(q runquery.Query, limit int, descending, backward bool, between func()) []shown {
				return through(w, limit, func(from *runindex.Spot) (runindex.Page[runindex.Dirspace, runindex.Spot], error) {
					return w.index.Dirspaces(ctx, installation, runindex.Request[runindex.Spot]{Query: q, Limit: limit, Descending: descending, Backward: backward, From: from})
				}, func(d runindex.Dirspace) shown { return shownDirspace(d.Run.Run, d.Dirspace) }, between)
			},
		},
	}
}

// filled returns a world with runs in all states.
func filled(t testing.TB, seed uint64, runs int) *world {
	w := newWorld(t, storagetest.New(t), seed)
	for range runs {
		w.create()
		for range 2 {
			w.change()
		}
	}
	return w
}

// TestPagesShowWhatANaiveFilterFinds compares walks through pages of all sizes, in
// both directions, with a filter over all runs.
func TestPagesShowWhatANaiveFilterFinds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := filled(t, seed, 25)
			usual := w.index
			queries, matched := storagetest.Sample(60, 20), 0
			for range queries {
				for name, l := range w.lists() {
					text, q := l.query()
					limit, descending, backward := pick(w, 1, 3, 20, 100), w.draw.IntN(2) == 0, w.draw.IntN(2) == 0
					w.index = usual
					if w.draw.IntN(3) == 0 {
						w.index = usual.Limited(pick(w, 2, 5, 9), pick(w, 1, 4, 9), pick(w, 1, 50), pick(w, 100, 1000))
					}
					want := l.want(q)
					if matched += len(want); descending != backward {
						slices.Reverse(want)
					}
					if got := w.lists()[name].pages(q, limit, descending, backward, func() {}); !slices.Equal(got, want) {
						t.Fatalf("%s under %s, pages of %d, descending %t, backward %t:\n got %v\nwant %v", name, text, limit, descending, backward, got, want)
					}
				}
			}
			if matched < 8*queries {
				t.Errorf("the queries matched %d rows: too few to show anything", matched)
			}
		})
	}
}

// TestWalkWhileRunsAreCreatedAndChangeNeitherLosesNorRepeats makes and changes runs
// between the pages of a walk. What matches before and after each of these must be
// seen exactly once, in order, and nothing twice.
func TestWalkWhileRunsAreCreatedAndChangeNeitherLosesNorRepeats(t *testing.T) {
	t.Parallel()
	w := filled(t, 77, 15)
	for range 15 {
		for name, l := range w.lists() {
			text, q := l.query()
			stay := l.want(q)
			descending, backward := w.draw.IntN(2) == 0, w.draw.IntN(2) == 0
			changes := 0
			got := l.pages(q, pick(w, 1, 2, 5), descending, backward, func() {
				if changes++; changes > 4 {
					return
				}
				if w.draw.IntN(3) == 0 && len(w.made) < 60 {
					w.create()
				}
				w.change()
				now := l.want(q)
				stay = slices.DeleteFunc(stay, func(s shown) bool { return !slices.Contains(now, s) })
			})
			order := shown.compare
			if descending != backward {
				order = func(a, b shown) int { return b.compare(a) }
			}
			for i := 1; i < len(got); i++ {
				if order(got[i-1], got[i]) >= 0 {
					t.Fatalf("%s under %s: %v comes after %v", name, text, got[i], got[i-1])
				}
			}
			for _, s := range stay {
				if !slices.Contains(got, s) {
					t.Fatalf("%s under %s: %v was lost", name, text, s)
				}
			}
		}
	}
}

// TestRemovedRunsLeaveNoRows removes runs in all states.
func TestRemovedRunsLeaveNoRows(t *testing.T) {
	t.Parallel()
	w := filled(t, 5, 10)
	for _, id := range w.made {
		if err := w.store.Remove(t.Context(), id, nil, w.author()); err != nil {
			t.Fatal(err)
		}
	}
	for _, item := range w.rows() {
		t.Errorf("the row %v is left", item)
	}
}
