package kv

import (
	"context"
	"slices"
)

// aFew is how many rows are read to find one that exists: almost always the
// first does.
const aFew = 8

// look reports whether the key of h has a row. Rows are read one after another,
// while others come and go, so that one reading which finds none does not show
// that there was a moment without any. Two readings do which find the same
// revisions, and the head as it was before them: a revision never comes back
// within a generation, so nobody wrote between the end of the first and the
// beginning of the second. again is true where somebody did.
func (d removal) look(ctx context.Context, h head) (found, again bool, err error) {
	if h.exists() {
		return true, false, nil
	}
	first, found, err := d.revisions(ctx, h)
	if err != nil || found {
		return found, false, err
	}
	second, found, err := d.revisions(ctx, h)
	if err != nil || found {
		return found, false, err
	}
	now, ok, err := d.getHead(ctx, d.ns, d.key)
	if err != nil {
		return false, false, err
	}
	same := ok && now.generation == h.generation && sameRevision(now.cell, h.cell) && slices.Equal(first, second)
	return false, !same, nil
}

// revisions reads the revisions of the rows of a generation, idx 0 aside, those
// of removed rows included. It stops at a row that exists.
func (d removal) revisions(ctx context.Context, h head) (all []mark, found bool, err error) {
	_, err = d.eachRow(ctx, rowPartition(d.ns, h.generation), extent{from: MinIdx, first: aFew}, func(r row) bool {
		if found = r.exists(); !found && r.revision != nil {
			all = append(all, mark{r.idx, *r.revision})
		}
		return !found
	})
	return all, found, err
}
