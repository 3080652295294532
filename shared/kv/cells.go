package kv

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/kv/overlay"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// extent says which rows of a key are read, and how.
type extent struct {
	// from is the first idx.
	from int
	// first is the maximum number of rows of the first read; 0 means as many as fit
	// on a page. Every row that is read costs money, also a row after the cell at
	// which the caller stops.
	first int
	// values says that the values in the rows are read too.
	values bool
	// budget is what the reads may use. A nil budget has no limit.
	budget *Budget
}

// withoutValues lists the attributes of a row that a reader needs if it does not
// want the value. DynamoDB reads whole items and charges for them, but it does not
// have to send the attributes that are left out.
var withoutValues = []string{
	"sk", kvitem.Version, kvitem.Revision, kvitem.Committed, kvitem.ReadCaps, kvitem.WriteCaps, kvitem.Size, kvitem.Weight,
	kvitem.WrittenAt,
}

// read calls do for the cells of a key in ascending order of idx, until do returns
// false. Some of these cells may not exist. If the budget is spent before the last
// cell, end is the last idx that read has covered.
func (s *Store) read(ctx context.Context, ns vcs.Installation, h head, e extent, do func(idx int, c cell, committed bool) bool) (end *int, err error) {
	headDue := e.from <= 0
	if h.more {
		published, err := overlay.Decode(h.overlay)
		if err != nil {
			return nil, err
		}
		stopped := false
		end, err = s.eachRow(ctx, rowPartition(ns, h.generation), e, func(r row) bool {
			if headDue && r.idx > 0 {
				headDue = false
				stopped = !do(0, h.cell, h.committed)
			}
			if !stopped && r.exists() {
				stopped = !do(r.idx, r.cell, r.committed || published.Has(r.idx, *r.revision))
			}
			return !stopped
		})
		if err != nil || stopped || end != nil {
			return end, err
		}
	}
	if headDue {
		do(0, h.cell, h.committed)
	}
	return nil, nil
}

// eachRow calls do for the rows of a generation's partition in ascending order of
// idx, until do returns false. The reads are strongly consistent. If the budget is
// spent first, end is the last idx that was read.
func (s *Store) eachRow(ctx context.Context, partition string, e extent, do func(row) bool) (end *int, err error) {
	q := table.Query{
		Key:   []table.Condition{table.Equal("pk", attr.String(partition)), table.AtLeast("sk", attr.Bytes(rowSort(e.from)))},
		Limit: e.first, Measure: true,
	}
	if !e.values {
		q.Names = withoutValues
	}
	for {
		found, err := s.table.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("query rows: %w", err)
		}
		e.budget.take(found.Units, len(found.Items))
		for _, it := range found.Items {
			r, err := decodeRow(it)
			if err != nil || !do(r) {
				return nil, err
			}
		}
		if found.Next == nil {
			return nil, nil
		}
		if e.budget.Spent() {
			last, err := decodeRow(found.Next)
			return &last.idx, err
		}
		q.After, q.Limit = found.Next, 0
	}
}
