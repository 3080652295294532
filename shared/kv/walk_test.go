package kv_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/vcs"
)

// oracle computes which rows a walk lists, from the table in
// docs/guide-key-value.md.
func oracle(visible map[kv.Position]bool, r kv.Range) []kv.Position {
	var list []kv.Position
	for w := range visible {
		in := w.Key > r.Key
		switch {
		case r.Inclusive && r.Idx == nil:
			in = w.Key >= r.Key
		case r.Inclusive:
			in = w.Key == r.Key && w.Idx >= *r.Idx
		case r.Idx != nil:
			in = in || w.Key == r.Key && w.Idx > *r.Idx
		}
		if in && (!r.Prefix || strings.HasPrefix(w.Key, r.Key)) {
			list = append(list, w)
		}
	}
	slices.SortFunc(list, compare)
	return list
}

func compare(a, b kv.Position) int {
	if c := strings.Compare(a.Key, b.Key); c != 0 {
		return c
	}
	return a.Idx - b.Idx
}

// TestWalkVisitsEveryRowOnceWhereverItsPagesEnd walks over committed rows, drafts,
// rows that the caller may not see, and the rest of deleted rows and keys. The
// pages end after a read or two, and others write at the same time.
func TestWalkVisitsEveryRowOnceWhereverItsPagesEnd(t *testing.T) {
	r := newRig(t)
	installation, one := 0, parse(t, "1")
	rapid.Check(t, func(t *rapid.T) {
		installation++
		r := &rig{Store: r.Store, env: r.env, ns: vcs.Installation{VCS: "github", ID: vcs.ID(fmt.Sprint(installation))}}
		steady, dirty := map[kv.Position]bool{}, map[kv.Position]bool{}
		key := rapid.SampledFrom([]string{"", "a", "a/", "a/b", "b"})
		idx := rapid.IntRange(-3, 3)
		drafts := rapid.Bool().Draw(t, "drafts")
		write := func(t *rapid.T) kv.Position {
			w := kv.Write{Key: key.Draw(t, "key"), Idx: idx.Draw(t, "idx"), Value: one, Committed: rapid.Bool().Draw(t, "committed")}
			if rapid.IntRange(0, 3).Draw(t, "closed") == 0 {
				w.ReadCaps = &access.Set{access.KVStoreSystemRead}
			}
			at := kv.Position{w.Key, w.Idx}
			if _, err := r.Set(t.Context(), r.caller(nil), w); err != nil {
				t.Fatal(err)
			}
			delete(steady, at)
			if w.ReadCaps == nil && (w.Committed || drafts) {
				steady[at] = true
			}
			return at
		}
		remove := func(t *rapid.T) (at kv.Position, all bool) {
			at, all = kv.Position{key.Draw(t, "key"), idx.Draw(t, "idx")}, rapid.IntRange(0, 4).Draw(t, "all") == 0
			which := &at.Idx
			if all {
				which = nil
			}
			if _, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: at.Key, Idx: which}, nil); err != nil {
				t.Fatal(err)
			}
			for w := range steady {
				if w == at || all && w.Key == at.Key {
					delete(steady, w)
				}
			}
			return at, all
		}
		for range rapid.IntRange(0, 25).Draw(t, "writes") {
			if rapid.IntRange(0, 3).Draw(t, "remove") > 0 {
				write(t)
			} else {
				remove(t)
			}
		}
		walk := kv.Range{
			Key: key.Draw(t, "start"), Inclusive: rapid.Bool().Draw(t, "inclusive"), Prefix: rapid.Bool().Draw(t, "prefix"),
			Drafts: drafts, WithData: rapid.Bool().Draw(t, "data"), Limit: rapid.IntRange(1, 4).Draw(t, "limit"),
		}
		if rapid.Bool().Draw(t, "from idx") {
			i := idx.Draw(t, "from")
			walk.Idx = &i
		}
		busy := rapid.Bool().Draw(t, "busy")
		var got []kv.Position
		for pages := 0; ; pages++ {
			walk.Budget = kv.BudgetOf(rapid.IntRange(0, 3).Draw(t, "reads"))
			records, next, err := r.Iterate(t.Context(), r.caller(nil), walk)
			if err != nil {
				t.Fatal(err)
			}
			for _, rec := range records {
				got = append(got, kv.Position{rec.Key, rec.Idx})
			}
			if next == nil {
				break
			}
			if walk.After != nil && compare(*next, *walk.After) <= 0 || pages > 200 {
				t.Fatalf("page %d goes on behind %+v, the one before behind %+v", pages, *next, *walk.After)
			}
			walk.After = next
			if busy {
				dirty[write(t)] = true
				if at, all := remove(t); all {
					for i := -3; i <= 3; i++ {
						dirty[kv.Position{at.Key, i}] = true
					}
				} else {
					dirty[at] = true
				}
			}
		}
		if !slices.IsSortedFunc(got, compare) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("%+v: rows come twice or out of order: %v", walk, got)
		}
		// The walk may list, or may not list, what was written during the walk.
		isDirty := func(w kv.Position) bool { return dirty[w] }
		want := slices.DeleteFunc(oracle(steady, walk), isDirty)
		if got := slices.DeleteFunc(got, isDirty); !slices.Equal(got, want) {
			t.Fatalf("%+v: got %v, want %v", walk, got, want)
		}
	})
}
