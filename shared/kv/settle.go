package kv

import (
	"context"
	"errors"
	"fmt"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
)

// settle ends a write beside the head, once its row is written at a place. The
// writer has read the generation before. If the head still has it, the row is
// there for all to see. If not, a delete of the key has replaced it meanwhile: then
// the write is ordered before that delete, and its row is gone with all others of
// the generation. The row says so, for the audit trail: there the write may stand
// behind the delete, and must not pass for what became of the row. It must be
// called only for a write that took effect, as it marks whatever row is there.
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

// concede marks the row that the author has written: the write went with the
// generation. Nobody who begins now reads the row any more, and who has begun
// before is ordered before the delete, as the write is: so nothing else of the row
// changes. Every such write has its own mark, also where another has written the
// row since. The collector may have removed the row long ago: then there is none
// to mark.
func (s *Store) concede(ctx context.Context, author change.Author, at place) error {
	server := change.Author{Principal: change.Server, Request: author.Request, Source: author.Source, At: author.At}
	e := newEdit(server)
	e.set("wk", attr.String(author.Request))
	e.require("attribute_exists(rv)")
	for n := range tries {
		if err := awsclient.Pause(ctx, n); err != nil {
			return errors.Join(errUnknown, err)
		}
		out, err := s.update(ctx, at.key, e)
		if err != nil {
			return errors.Join(errUnknown, fmt.Errorf("mark row of a deleted key: %w", err))
		}
		if out.done {
			return nil
		}
		r := attr.Read(out.item)
		there, marked := r.Has("rv"), r.String("wk")
		if err := decoded(r.Err()); err != nil {
			return err
		}
		if !there || marked == author.Request {
			return nil
		}
	}
	return errUnknown
}
