package kv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// publish writes the heads. It returns false if one of them has changed in a way
// that matters, or if another transaction holds one.
func (s *Store) publish(ctx context.Context, by Caller, plans []publication, try int) (bool, error) {
	switch len(plans) {
	case 0:
		return true, nil
	case 1:
		return s.publishOne(ctx, by, plans[0], try)
	}
	writes := make([]table.Write, len(plans))
	for i, p := range plans {
		writes[i] = s.table.WriteUpdate(p.edit(by, try))
	}
	// The token makes a repeat by the SDK have no effect (for 10 minutes,
	// "Idempotency", TransactWriteItems API reference). A new try has other
	// contents, so it needs another token.
	switch err := s.table.TransactOnce(ctx, newToken(by.Author.Request, try), writes...); {
	case err == nil:
		return true, nil
	case table.Overtaken(err):
		return false, nil
	case table.Ambiguous(err):
		return false, errors.Join(errUnknown, err)
	default:
		return false, fmt.Errorf("commit %d keys: %w", len(plans), err)
	}
}

// publishOne writes one head. If a response is lost, it makes exactly the same
// update again, which can apply only once. It does not choose the rows again: the
// lost update may have published rows or may publish them later, and the list of
// changed rows would not have them.
func (s *Store) publishOne(ctx context.Context, by Caller, p publication, try int) (bool, error) {
	var lost error // set as soon as an update may have taken effect without a response
	for range table.Tries(ctx, tries) {
		out, err := s.update(ctx, headKey(by.Installation, p.head.key), p.edit(by, try))
		if err != nil {
			return false, errors.Join(lost, err)
		}
		now, err := decodeHead(out.item)
		switch {
		case err != nil:
			return false, errors.Join(lost, err)
		case out.done, now.publishStamp == publishStamp(by.Author, try):
			return true, nil
		case (lost != nil || out.unsure) && now.publication != p.head.publication:
			return false, errUnknown // our update may have taken effect before another one
		case !out.unsure:
			return false, nil // refused; ours that are still on their way are refused too
		}
		lost = errUnknown
	}
	return false, errors.Join(lost, ctx.Err())
}

// publishStamp names one try of one commit.
func publishStamp(author change.Author, try int) string {
	return author.Request + "/" + strconv.Itoa(try)
}

// edit returns the update that publishes, on the condition that the head is as it
// was read.
func (p publication) edit(by Caller, try int) *table.Edit {
	e := newEdit(headKey(by.Installation, p.head.key), by.Author).
		Count(kvitem.Publication, 0, 1).
		Set(kvitem.PublishStamp, attr.String(publishStamp(by.Author, try))).
		SetOrRemove(p.overlay != nil, kvitem.Overlay, attr.Bytes(p.overlay)).
		If(table.Equal(kvitem.Generation, attr.String(p.head.generation)))
	if p.head.publication == 0 {
		e.If(table.Absent(kvitem.Publication))
	} else {
		e.If(table.Equal(kvitem.Publication, attr.Int(int64(p.head.publication))))
	}
	if p.zero {
		e.Set(kvitem.Committed, attr.Bool(true)).If(atRevision(p.head.cell))
	}
	return e
}

// newToken returns the token of one try of one request's transaction. A token holds
// at most 36 characters.
func newToken(request string, try int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", request, try))
	return hex.EncodeToString(sum[:16])
}
