package runindex_test

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
)

// TestActiveRunsAreCountedByPrincipal counts runs whose names are not those of their
// principals.
func TestActiveRunsAreCountedByPrincipal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storagetest.New(t), 8)
	for range 20 {
		w.create()
		w.change()
	}
	all, own := 0, 0
	for _, r := range w.runs() {
		if r.State.Active() {
			if all++; r.Principal == "ann" {
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
