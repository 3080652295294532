package kv

import (
	"context"
	"errors"
	"fmt"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// settle ends a write of a row other than idx 0, after the row is written. The
// writer has read the generation before it wrote. If the head still has this
// generation, everybody sees the row. If not, a delete of the key has replaced the
// generation meanwhile. Then the write is ordered before that delete, and its row
// is gone with all other rows of the generation. settle marks the row for the audit
// trail. The trail may list the write after the delete, and nobody must take the
// write for the row's present state.
//
// settle must be called only for a write that took effect, because it marks
// whatever row is there.
func (s *Store) settle(ctx context.Context, by Caller, key string, at place) error {
	if at.inHead {
		return nil
	}
	h, _, err := s.getHead(ctx, by.Installation, key)
	if err != nil {
		return errors.Join(errUnknown, err)
	}
	if at.generation == h.generation {
		return nil
	}
	return s.concede(ctx, by.Author, at)
}

// concede marks a row that the author has written: the row was deleted with its
// generation. No request that begins now reads the row. A request that began before
// is ordered before the delete, as the write is. So nothing else of the row
// changes. Every such write has a mark of its own, even if another request has
// written the row since. If the collector has already removed the row, there is
// nothing to mark.
func (s *Store) concede(ctx context.Context, author change.Author, at place) error {
	server := change.Author{Principal: change.Server, Request: author.Request, Source: author.Source, At: author.At}
	e := newEdit(at.key, server).Set(kvitem.Discarded, attr.String(author.Request)).If(table.Exists(kvitem.Revision))
	for range table.Tries(ctx, tries) {
		out, err := s.update(ctx, at.key, e)
		if err != nil {
			return errors.Join(errUnknown, fmt.Errorf("mark row of a deleted key: %w", err))
		}
		if out.done {
			return nil
		}
		r := attr.Read(out.item)
		there, marked := r.Has(kvitem.Revision), r.String(kvitem.Discarded)
		if err := decoded(r.Err()); err != nil {
			return err
		}
		if !there || marked == author.Request {
			return nil
		}
	}
	return errors.Join(errUnknown, ctx.Err())
}
