package kv

import (
	"context"
	"errors"
	"fmt"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv/overlay"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Get reads one row: a committed one, or with drafts also a draft. It fails with
// fault.ErrNotFound if the row does not exist, is not visible, or has read
// capabilities that the caller does not have.
func (s *Store) Get(ctx context.Context, by Caller, at Position, drafts, withData bool) (Record, error) {
	if err := checkRow(at.Key, &at.Idx); err != nil {
		return Record{}, err
	}
	for range table.Tries(ctx, tries) {
		c, committed, err := s.find(ctx, by.Installation, at)
		if err != nil {
			return Record{}, err
		}
		if !c.seen(by.Capabilities, committed, drafts) {
			return Record{}, fault.ErrNotFound
		}
		rec, err := c.record(at.Key, at.Idx, committed)
		if err != nil || !withData {
			return rec, err
		}
		rec.Data, err = s.bodies.value(ctx, by.Installation, c)
		if !errors.Is(err, errBodyGone) {
			return rec, err
		}
	}
	return Record{}, fmt.Errorf("get idx %d: %w", at.Idx, errors.Join(errBodyGone, ctx.Err()))
}

// find reads one cell and reports whether it is committed. It must read the head
// first. If it read the row first, a commit could be published between the two
// reads: then a revision could seem committed that was overwritten before the
// commit.
func (s *Store) find(ctx context.Context, ns vcs.Installation, at Position) (cell, bool, error) {
	h, ok, err := s.getHead(ctx, ns, at.Key)
	switch {
	case err != nil || !ok:
		return cell{}, false, err
	case at.Idx == 0:
		return h.cell, h.committed, nil
	case !h.more:
		return cell{}, false, nil
	}
	published, err := overlay.Decode(h.overlay)
	if err != nil {
		return cell{}, false, err
	}
	c, err := s.getCell(ctx, rowKey(ns, h.generation, at.Idx))
	if err != nil || !c.exists() {
		return cell{}, false, err
	}
	return c, c.committed || published.Has(at.Idx, *c.revision), nil
}
