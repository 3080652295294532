package kv

import (
	"context"
	"slices"

	"github.com/opsplane/opsplane/shared/kv/overlay"
)

// aFew is how many rows the first read asks for, to find one that exists. Almost
// always the first row exists.
const aFew = 8

// look reports whether the key of h has a row. It reads rows one after another
// while other writers add and remove rows. So one reading that finds no row does
// not prove that there was a moment without rows. look reads twice. There was such
// a moment if both readings find the same revisions and the head is as it was
// before them: a revision never comes back within a generation, so nobody wrote
// between the end of the first reading and the beginning of the second. again is
// true if somebody wrote. If the budget is too small for both readings, look fails
// with TOO_MANY_RECORDS.
func (d removal) look(ctx context.Context, h head, budget *Budget) (found, again bool, err error) {
	if h.exists() {
		return true, false, nil
	}
	first, found, err := d.revisions(ctx, h, budget)
	if err != nil || found {
		return found, false, err
	}
	second, found, err := d.revisions(ctx, h, budget)
	if err != nil || found {
		return found, false, err
	}
	now, ok, err := d.getHead(ctx, d.Installation, d.key)
	if err != nil {
		return false, false, err
	}
	same := ok && now.generation == h.generation && sameRevision(now.cell, h.cell) && slices.Equal(first, second)
	return false, !same, nil
}

// revisions reads the revisions of the rows of a generation without idx 0.
// Revisions of removed rows are included. It stops at a row that exists.
func (d removal) revisions(ctx context.Context, h head, budget *Budget) (all []overlay.Mark, found bool, err error) {
	end, err := d.eachRow(ctx, rowPartition(d.Installation, h.generation), extent{from: MinIdx, first: aFew, budget: budget}, func(r row) bool {
		if found = r.exists(); !found && r.revision != nil {
			all = append(all, overlay.Mark{Idx: r.idx, Rev: *r.revision})
		}
		return !found
	})
	if err == nil && end != nil {
		err = tooMany("key %q has the traces of %d records or more that were deleted one by one, and a request looks through %d MiB of them at most for one that stands; write a record of the key, then delete the key, which takes the traces with it",
			d.key, len(all), budget.units*unitBytes>>20)
	}
	return all, found, err
}
