package apikey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// A revocation may conflict with another write to the key: another revocation, or
// the record of its use. Both end within milliseconds.
const (
	revokeAttempts = 5
	revokePause    = 20 * time.Millisecond
)

// Revoke ends a key. The key itself ends at once, its access tokens within
// signing.SnapshotAge. A second revocation changes nothing. Revoke returns
// ErrNotFound if the user has no such key.
//
// Verifiers learn only of keys that may have a token. They do not learn of a key
// that was never exchanged, or of a key that has expired. MarkUsed records the
// first exchange on the key's own item, before the token is made, and only if the
// key is not revoked. If a revocation and a first exchange happen at once, there
// are two cases. If the exchange comes first, the revocation sees its record and
// informs the verifiers. If the revocation comes first, the exchange is refused.
func (s *Store) Revoke(ctx context.Context, user, id string, author change.Author) error {
	for attempt := 1; ; attempt++ {
		err := s.revoke(ctx, user, id, author)
		if err == nil || errors.Is(err, ErrNotFound) {
			return err
		}
		if !temporary(err) || attempt == revokeAttempts {
			return fmt.Errorf("revoke API key: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("revoke API key: %w", ctx.Err())
		case <-time.After(time.Duration(attempt) * revokePause):
		}
	}
}

// revocable returns the conditions that a key exists and is not revoked.
func revocable() []table.Condition {
	return []table.Condition{table.Exists("pk"), table.Absent(attrRevoked)}
}

// clockSkew is how far the clocks of two functions may differ.
const clockSkew = time.Minute

// revoke tries to revoke the key once.
func (s *Store) revoke(ctx context.Context, user, id string, author change.Author) error {
	// A key that was never used or has expired has no valid token.
	_, err := s.table().Update(ctx, revocation(user, id, author).
		If(table.AbsentOr(attrUsed, table.AtMost(attrExpires, attr.Time(author.At.Add(-clockSkew))))))
	old, failed := table.ConditionFailed(err)
	switch {
	case !failed:
		return err
	case len(old) == 0:
		return ErrNotFound
	case old[attrRevoked] != nil:
		return nil // revoked before
	}
	return s.revokeAndTell(ctx, user, id, author)
}

// revokeAndTell revokes any key and writes the item from which verifiers learn of
// it. Both are in one transaction, because neither is of use without the other.
func (s *Store) revokeAndTell(ctx context.Context, user, id string, author change.Author) error {
	t := s.table()
	err := t.TransactOnce(ctx, "", t.WriteUpdate(revocation(user, id, author)), t.WritePut(signing.Revocation(user, id, author)))
	old, failed := table.ConditionFailedAt(err, 0)
	switch {
	case !failed:
		return err
	case len(old) == 0:
		return ErrNotFound
	}
	return nil // revoked before
}

// revocation returns the change that revokes a key.
func revocation(user, id string, author change.Author) *table.Edit {
	return table.Change(ItemKey(user, id)).Set(attrRevoked, attr.Time(author.At)).Set(attrTTL, attr.Time(author.At.Add(keep))).
		SetAll(author.All()).Remove(attrByName).If(revocable()...)
}

// temporary reports whether a revocation failed only because of load or of another
// write in progress, so that a new try may succeed.
func temporary(err error) bool { return table.Contended(err) || table.Throttled(err) }
