package signing

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// RevocationWindow is how long verifiers can read a revocation. A token may be made
// for a request that was admitted just before its key was revoked. Such a token is
// made at most 29 s later, and it lives for 60 s.
const RevocationWindow = 120 * time.Second

const (
	// RevocationLists is the number of partitions that hold revocations. The user
	// decides the partition, so a user who revokes many keys fills only one of
	// them.
	RevocationLists = 16
	// maxListed is the largest number of revocations that one reading returns. A
	// reading costs at most 200 items of about 350 bytes each, which is 18 read
	// units, however many revocations there are.
	maxListed = 200
)

// RevocationList returns the number of the list that holds a user's revocations,
// from 0 to RevocationLists-1.
func RevocationList(user string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(user)) // never fails
	return int(h.Sum32() % RevocationLists)
}

func revocationsKey(list int) string { return fmt.Sprintf("REVOKED#%x", list) }

// Revocations is one list of API keys that were revoked within RevocationWindow, as
// it was when the reading began. The list may lack a key that was never exchanged
// for a token, or that had expired before: such a key has no valid token.
type Revocations struct {
	// ReadAt is when the reading began.
	ReadAt time.Time
	// Complete says that the list has every revocation. If it is false, there were
	// more than one reading returns, and a key that is not in the list may still be
	// revoked.
	Complete bool
	revoked  map[string]struct{}
}

// Has reports whether the list has the API key. The result stays true: a revocation
// is final.
func (l Revocations) Has(apiKey string) bool {
	_, ok := l.revoked[apiKey]
	return ok
}

// FreshAt reports whether the list is recent enough to be used without reading it
// again.
func (l Revocations) FreshAt(now time.Time) bool {
	return l.revoked != nil && Within(l.ReadAt, now, SnapshotAge)
}

// ClearsAt reports whether a key that the list does not have was valid less than
// SnapshotAge before now.
func (l Revocations) ClearsAt(now time.Time) bool { return l.Complete && l.FreshAt(now) }

// Revocations reads one list at the time now, with one query of limited size. The
// reading is strongly consistent: a complete list has every revocation that ended
// before the reading began.
func (s *Store) Revocations(ctx context.Context, list int, now time.Time) (Revocations, error) {
	page, err := s.table(s.TokensTable).Query(ctx, table.Query{
		Key: []table.Condition{
			table.Equal("pk", attr.String(revocationsKey(list))),
			table.AtLeast("sk", attr.String(revocationKey(now.Add(-RevocationWindow), ""))),
		},
		// The newest come first. If there are too many, the list has those that
		// must be known for the longest time.
		Backward: true, Limit: maxListed,
	})
	if err != nil {
		return Revocations{}, fmt.Errorf("read revocations: %w", err)
	}
	l := Revocations{ReadAt: now, Complete: page.Next == nil, revoked: map[string]struct{}{}}
	for _, item := range page.Items {
		r := attr.Read(item)
		l.revoked[r.String("key")] = struct{}{}
		if err := r.Err(); err != nil {
			return Revocations{}, fmt.Errorf("decode revocation: %w", err)
		}
	}
	return l, nil
}

// Revocation returns the item by which verifiers learn that a user's API key was
// revoked. It must be written in the transaction that revokes the key.
func Revocation(user, apiKey string, author change.Author) attr.Item {
	item := attr.Item{
		"pk":  attr.String(revocationsKey(RevocationList(user))),
		"sk":  attr.String(revocationKey(author.At, apiKey)),
		"key": attr.String(apiKey),
		"ttl": attr.Time(author.At.Add(RevocationWindow)),
	}
	author.AddTo(item)
	return item
}

// revocationKey returns a sort key that orders revocations by time.
func revocationKey(at time.Time, apiKey string) string {
	return attr.SortSeconds(at) + "#" + apiKey
}
