package kv

import (
	"context"
	"errors"
	"fmt"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv/overlay"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Get reads one row: a committed one, or with drafts either kind. A row that
// is absent, not visible, or whose read capabilities exclude the caller is
// fault.ErrNotFound.
func (s *Store) Get(ctx context.Context, ns vcs.Installation, caps access.Set, key string, idx int, drafts, withData bool) (Record, error) {
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
func (s *Store) find(ctx context.Context, ns vcs.Installation, key string, idx int) (cell, bool, error) {
	h, ok, err := s.getHead(ctx, ns, key)
	switch {
	case err != nil || !ok:
		return cell{}, false, err
	case idx == 0:
		return h.cell, h.committed, nil
	case !h.more:
		return cell{}, false, nil
	}
	published, err := overlay.Decode(h.overlay)
	if err != nil {
		return cell{}, false, err
	}
	c, err := s.getCell(ctx, rowKey(ns, h.generation, idx))
	if err != nil || !c.exists() {
		return cell{}, false, err
	}
	return c, c.committed || published.Has(idx, *c.revision), nil
}
