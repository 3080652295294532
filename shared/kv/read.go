package kv

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/access"
	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/fault"
)

// Get reads one row: a committed one, or with drafts either kind. A row that
// is absent, not visible, or whose read capabilities exclude the caller is
// fault.ErrNotFound.
func (s *Store) Get(ctx context.Context, ns Namespace, caps access.Set, key string, idx int, drafts, withData bool) (Record, error) {
	if err := checkRow(key, &idx); err != nil {
		return Record{}, err
	}
	for n := range tries {
		if err := awsclient.Pause(ctx, n); err != nil {
			return Record{}, err
		}
		c, committed, err := s.find(ctx, ns, key, idx)
		if err != nil {
			return Record{}, err
		}
		if !c.seen(caps, committed, drafts) {
			return Record{}, fault.ErrNotFound
		}
		rec, err := c.record(key, idx, committed)
		if err != nil || !withData {
			return rec, err
		}
		rec.Data, err = s.bodies.value(ctx, ns, c)
		if !errors.Is(err, errBodyGone) {
			return rec, err
		}
	}
	return Record{}, fmt.Errorf("get idx %d: %w", idx, errBodyGone)
}

// find reads one cell and whether it is committed. The head comes first:
// in the other order a commit published in between could show as committed a
// revision that was overwritten before its publication.
func (s *Store) find(ctx context.Context, ns Namespace, key string, idx int) (cell, bool, error) {
	h, ok, err := s.getHead(ctx, ns, key)
	switch {
	case err != nil || !ok:
		return cell{}, false, err
	case idx == 0:
		return h.cell, h.committed, nil
	case !h.more:
		return cell{}, false, nil
	}
	published, err := decodeOverlay(h.overlay)
	if err != nil {
		return cell{}, false, err
	}
	c, err := s.getCell(ctx, rowKey(ns, h.generation, idx))
	if err != nil || !c.exists() {
		return cell{}, false, err
	}
	return c, c.committed || published.has(idx, *c.revision), nil
}

// Count counts the visible rows of a key and answers the largest idx among
// them; fault.ErrNotFound if there are none. It reads every row of the key.
func (s *Store) Count(ctx context.Context, ns Namespace, caps access.Set, key string, drafts bool) (count, maxIdx int, err error) {
	err = s.visible(ctx, ns, caps, key, drafts, func(idx int, _ cell) {
		count++
		maxIdx = idx
	})
	if err == nil && count == 0 {
		err = fault.ErrNotFound
	}
	return count, maxIdx, err
}

// Size adds up the sizes of the visible rows of a key, or of the one row idx;
// fault.ErrNotFound if there are none. Without idx it reads every row of the
// key.
func (s *Store) Size(ctx context.Context, ns Namespace, caps access.Set, key string, idx *int, drafts bool) (int, error) {
	if idx != nil {
		rec, err := s.Get(ctx, ns, caps, key, *idx, drafts, false)
		return rec.Size, err
	}
	size, count := 0, 0
	err := s.visible(ctx, ns, caps, key, drafts, func(_ int, c cell) {
		count++
		size += c.size
	})
	if err == nil && count == 0 {
		err = fault.ErrNotFound
	}
	return size, err
}

// visible calls do for every visible row of a key in ascending order of idx.
func (s *Store) visible(ctx context.Context, ns Namespace, caps access.Set, key string, drafts bool, do func(int, cell)) error {
	if err := checkKey(key); err != nil {
		return err
	}
	h, ok, err := s.getHead(ctx, ns, key)
	if err != nil || !ok {
		return err
	}
	return s.cells(ctx, ns, h, MinIdx, func(idx int, c cell, committed bool) bool {
		if c.seen(caps, committed, drafts) {
			do(idx, c)
		}
		return true
	})
}

// cells calls do for every cell of a head from idx on, in ascending order,
// until do answers false. Cells that do not exist may be among them.
func (s *Store) cells(ctx context.Context, ns Namespace, h head, from int, do func(idx int, c cell, committed bool) bool) error {
	headDue := from <= 0
	if h.more {
		published, err := decodeOverlay(h.overlay)
		if err != nil {
			return err
		}
		pages := s.rowPages(ns, h.generation, from, 0)
		for pages.HasMorePages() {
			out, err := pages.NextPage(ctx)
			if err != nil {
				return fmt.Errorf("query rows: %w", err)
			}
			for _, it := range out.Items {
				r, err := decodeRow(it)
				if err != nil {
					return err
				}
				if headDue && r.idx > 0 {
					headDue = false
					if !do(0, h.cell, h.committed) {
						return nil
					}
				}
				if r.exists() && !do(r.idx, r.cell, r.committed || published.has(r.idx, *r.revision)) {
					return nil
				}
			}
		}
	}
	if headDue {
		do(0, h.cell, h.committed)
	}
	return nil
}

// rowPages reads the rows of a generation from idx on, strongly consistent;
// at most limit a page, if that is not 0.
func (s *Store) rowPages(ns Namespace, generation string, from int, limit int32) *dynamodb.QueryPaginator {
	in := &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String("pk = :pk AND sk >= :from"),
		ExpressionAttributeValues: attr.Item{
			":pk": attr.String(rowPartition(ns, generation)), ":from": attr.Bytes(rowSort(from)),
		},
	}
	if limit > 0 {
		in.Limit = &limit
	}
	return dynamodb.NewQueryPaginator(s.db, in)
}
