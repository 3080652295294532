package runstore_test

import (
	"sync"
	"testing"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// TestMergesAndRunsShareOneOrder lets merges and runs be created at the same time: no two
// have one place, and a repeated merge keeps its own.
func TestMergesAndRunsShareOneOrder(t *testing.T) {
	t.Parallel()
	_, store := open(t)
	seqs := make(chan int64, 20)
	var all sync.WaitGroup
	for n := range int64(5) {
		all.Go(func() {
			m, err := store.Merged(t.Context(), repository, runstore.Merge{Number: n + 1, Branch: "main", Commit: "aa"}, born)
			if err != nil {
				t.Error(err)
			}
			again, err := store.Merged(t.Context(), repository, runstore.Merge{Number: n + 1, Branch: "main", Commit: "bb"}, born)
			if err != nil || again != m {
				t.Errorf("again: got %v, %v, want %v", again, err, m)
			}
			seqs <- m.Seq
		})
		all.Go(func() {
			made, err := store.Create(t.Context(), creation(run.Plan, dirs("net")), at(0))
			if err != nil {
				t.Error(err)
			}
			seqs <- made.Run.Seq
		})
	}
	all.Wait()
	close(seqs)
	seen := map[int64]bool{}
	for seq := range seqs {
		if seen[seq] {
			t.Errorf("the place %d was given twice", seq)
		}
		seen[seq] = true
	}
	newest, err := store.NewestMerge(t.Context(), repository, "main")
	if err != nil || newest == (runstore.Merge{}) {
		t.Errorf("got %v, %v", newest, err)
	}
}
