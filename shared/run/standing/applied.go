package standing

import (
	"context"
	"errors"
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
	applies, err := s.Applies(ctx, r, list)
	found := make(map[run.Dirspace]int64, len(applies))
	for d, a := range applies {
		found[d] = a.Seq
	}
	return found, err
}

// Applies returns the newest recorded apply of each of some dirspaces of a repository,
// whatever came of it, strongly consistent. A dirspace without one is left out.
func (s Store) Applies(ctx context.Context, r vcs.Repository, list []run.Dirspace) (map[run.Dirspace]*Result, error) {
	found := map[run.Dirspace]*Result{}
	for some := range slices.Chunk(list, table.MaxBatch) {
		keys := make([]attr.Item, len(some))
		for i, d := range some {
			keys[i] = keyIn(rowsOf(r.Installation), Place{r.ID, d}.sort())
		}
		items, err := s.Table.BatchGet(ctx, table.Batch{Keys: keys, Names: []string{"sk", string(partApply), partApply.seq()}})
		if err != nil {
			return nil, fmt.Errorf("read applies of directories: %w", err)
		}
		for _, item := range items {
			read := attr.Read(item)
			at, misplaced := parsePlace(read.String("sk"))
			newest, err := partApply.decode(read)
			if err := errors.Join(misplaced, err, read.Err()); err != nil {
				return nil, fmt.Errorf("decode an apply of %s: %w", r, err)
			}
			if newest != nil {
				found[at.Dirspace] = newest
			}
		}
	}
	return found, nil
}
