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

// RevocationWindow is how long a revocation is told to verifiers. A token may
// be minted for a request that was let in just before its key was revoked, at
// most 29 s later, and lives for 60 s.
const RevocationWindow = 120 * time.Second

const (
	// RevocationLists is how many partitions revocations are spread over, by
	// their users: whoever revokes much fills one of them.
	RevocationLists = 16
	// maxListed bounds the revocations that one reading takes in. A reading
	// costs at most 200 items of some 350 bytes, 18 read units, however many
	// there are.
	maxListed = 200
)

// RevocationList is the number of the list that has a user's revocations, from 0
// to RevocationLists-1.
func RevocationList(user string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(user)) // never fails
	return int(h.Sum32() % RevocationLists)
}

func revocationsKey(list int) string { return fmt.Sprintf("REVOKED#%x", list) }

// Revocations is one list of API keys that were revoked within
// RevocationWindow, as it was when the reading began. A key that was never
// exchanged for a token, or had ended by itself, may be missing: it has no token
// that lives.
type Revocations struct {
	// ReadAt is when the reading began.
	ReadAt time.Time
	// Complete says that the list has all; else there were more than one
	// reading takes in, and a key that is missing may be revoked all the same.
	Complete bool
	revoked  map[string]struct{}
}

// Has reports whether the list has the API key. It stays true: a revocation is
// final.
func (l Revocations) Has(apiKey string) bool {
	_, ok := l.revoked[apiKey]
	return ok
}

// FreshAt reports whether the list need not be read again yet.
func (l Revocations) FreshAt(now time.Time) bool {
	return l.revoked != nil && Within(l.ReadAt, now, SnapshotAge)
}

// ClearsAt reports whether a key that is missing in the list was good less than
// SnapshotAge before now.
func (l Revocations) ClearsAt(now time.Time) bool { return l.Complete && l.FreshAt(now) }

// Revocations reads one list at now, with one query of bounded size. The
// reading is strongly consistent: a complete list has every revocation that ended
// before it began.
func (s *Store) Revocations(ctx context.Context, list int, now time.Time) (Revocations, error) {
	page, err := s.table(s.TokensTable).Query(ctx, table.Query{
		Key: []table.Condition{
			table.Equal("pk", attr.String(revocationsKey(list))),
			table.AtLeast("sk", attr.String(revocationKey(now.Add(-RevocationWindow), ""))),
		},
		// The newest come first: if there are too many, those that matter longest are known.
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

// Revocation is the item that tells verifiers of a user's revoked API key. It
// is to be written in the transaction that revokes the key.
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

// revocationKey sorts revocations by time.
func revocationKey(at time.Time, apiKey string) string {
	return attr.SortSeconds(at) + "#" + apiKey
}
