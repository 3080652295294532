package standing

import (
	"context"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Applied returns the Seq of the newest recorded apply of each of some dirspaces of a
// repository, whatever came of it, strongly consistent. A dirspace without one is left
// out.
func (s Store) Applied(ctx context.Context, r vcs.Repository, list []run.Dirspace) (map[run.Dirspace]int64, error) {
	rows, err := s.Of(ctx, r, list)
	found := make(map[run.Dirspace]int64, len(rows))
	for d, row := range rows {
		if row.Apply != nil {
			found[d] = row.Apply.Seq
		}
	}
	return found, err
}

// Of returns what stands in each of some dirspaces of a repository, strongly consistent.
// A dirspace without a row is left out.
func (s Store) Of(ctx context.Context, r vcs.Repository, list []run.Dirspace) (map[run.Dirspace]Row, error) {
	found := map[run.Dirspace]Row{}
	for some := range slices.Chunk(list, table.MaxBatch) {
		keys := make([]attr.Item, len(some))
		for i, d := range some {
			keys[i] = keyIn(rowsOf(r.Installation), Place{r.ID, d}.sort())
		}
		items, err := s.Table.BatchGet(ctx, table.Batch{Keys: keys})
		if err != nil {
			return nil, fmt.Errorf("read what stands in directories: %w", err)
		}
		for _, item := range items {
			at, err := parsePlace(attr.Read(item).String("sk"))
			if err != nil {
				return nil, fmt.Errorf("decode what stands in %s: %w", r, err)
			}
			if found[at.Dirspace], err = decodeRow(r.Installation, at, item); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}
