package kv

import (
	"context"
	"fmt"
)

// matching lists the rows to which a removal row by row applies. It refuses
// more than MaxRemovals, and a key with more rows than one request reads: before
// the first is removed.
func (d removal) matching(ctx context.Context, h head) ([]int, error) {
	var idx []int
	budget := d.NewBudget()
	end, err := d.read(ctx, d.ns, h, extent{from: MinIdx, budget: budget}, func(i int, c cell, _ bool) bool {
		if d.matches(c) {
			idx = append(idx, i)
		}
		return len(idx) <= d.limits.removals
	})
	const instead = "delete records by their idx, or all of the key in one step: without version, with the write capabilities of every record"
	switch {
	case err != nil:
		return nil, err
	case len(idx) > d.limits.removals:
		return nil, tooMany("key %q has more than %d records to be deleted one by one, the most that one request can; %s", d.key, d.limits.removals, instead)
	case end != nil:
		return nil, budget.exceeded(fmt.Sprintf("key %q has", d.key), instead)
	}
	return idx, nil
}
