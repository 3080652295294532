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
	return s.cells(ctx, ns, h, MinIdx, 0, func(idx int, c cell, committed bool) bool {
		if c.seen(caps, committed, drafts) {
			do(idx, c)
		}
		return true
	})
}

// cells calls do for every cell of a head from idx on, in ascending order,
// until do answers false. Cells that do not exist may be among them. What is
// read is paid for, also behind the cell at which do stops: a caller who
// expects to stop soon says with first how many rows the first read asks for;
// 0 is as many as fit.
func (s *Store) cells(ctx context.Context, ns Namespace, h head, from, first int, do func(idx int, c cell, committed bool) bool) error {
	headDue := from <= 0
	if h.more {
		published, err := decodeOverlay(h.overlay)
		if err != nil {
			return err
		}
		stopped := false
		err = s.eachRow(ctx, ns, h.generation, from, first, func(r row) bool {
			if headDue && r.idx > 0 {
				headDue = false
				stopped = !do(0, h.cell, h.committed)
			}
			if !stopped && r.exists() {
				stopped = !do(r.idx, r.cell, r.committed || published.has(r.idx, *r.revision))
			}
			return !stopped
		})
		if err != nil || stopped {
			return err
		}
	}
	if headDue {
		do(0, h.cell, h.committed)
	}
	return nil
}

// eachRow calls do for the rows of a generation from idx on, in ascending
// order, until do answers false: strongly consistent, at most first of them by
// the first read, if that is not 0.
func (s *Store) eachRow(ctx context.Context, ns Namespace, generation string, from, first int, do func(row) bool) error {
	in := &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String("pk = :pk AND sk >= :from"),
		ExpressionAttributeValues: attr.Item{
			":pk": attr.String(rowPartition(ns, generation)), ":from": attr.Bytes(rowSort(from)),
		},
	}
	if first > 0 {
		in.Limit = aws.Int32(int32(first))
	}
	for {
		out, err := s.db.Query(ctx, in)
		if err != nil {
			return fmt.Errorf("query rows: %w", err)
		}
		for _, it := range out.Items {
			r, err := decodeRow(it)
			if err != nil || !do(r) {
				return err
			}
		}
		if len(out.LastEvaluatedKey) == 0 {
			return nil
		}
		in.ExclusiveStartKey, in.Limit = out.LastEvaluatedKey, nil
	}
}
