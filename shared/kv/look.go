package kv

import (
	"context"
	"slices"

	"github.com/opsplane/opsplane/shared/kv/overlay"
)

// aFew is how many rows are read to find one that exists: almost always the
// first does.
const aFew = 8

// look reports whether the key of h has a row. Rows are read one after another,
// while others come and go, so that one reading which finds none does not show
// that there was a moment without any. Two readings do which find the same
// revisions, and the head as it was before them: a revision never comes back
// within a generation, so nobody wrote between the end of the first and the
// beginning of the second. again is true where somebody did. Where the budget does
// not suffice for both, nobody can tell: TOO_MANY_RECORDS.
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

// revisions reads the revisions of the rows of a generation, idx 0 aside, those
// of removed rows included. It stops at a row that exists.
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
