package kv

import (
	"context"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// batchRows calls do for each of the given rows that has an item. The order is not
// defined. The cells have no values. Each read is strongly consistent, but the
// reads together are not a snapshot.
func (s *Store) batchRows(ctx context.Context, ns vcs.Installation, generation string, idx []int, budget *Budget, do func(int, cell)) error {
	for chunk := range slices.Chunk(idx, table.MaxBatch) {
		keys := make([]attr.Item, len(chunk))
		for i, n := range chunk {
			keys[i] = rowKey(ns, generation, n)
		}
		var used float64
		add := func(units float64) error {
			used += units
			return nil
		}
		items, err := s.table.BatchGet(ctx, table.Batch{Keys: keys, Names: withoutValues, Used: add})
		if err != nil {
			return fmt.Errorf("batch get rows: %w", err)
		}
		budget.take(used, len(items))
		for _, it := range items {
			r, err := decodeRow(it)
			if err != nil {
				return err
			}
			do(r.idx, r.cell)
		}
	}
	return nil
}
