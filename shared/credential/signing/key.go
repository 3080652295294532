// Package signing holds what access tokens rest on: the keys that sign them,
// the keys that verify them, and the API keys whose tokens must be refused.
// Private keys live in a table of their own, which verifiers cannot read. Its
// invariant: no token is signed with a key before every verifier has had the
// time to learn of it, and a key is verified for longer than the last token
// that it signed lives.
package signing

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// How the keys hand over. Tokens live for 60 s, and a signer may go on with
// the keys that it read 60 s ago.
const (
	// SnapshotAge is how old a verifier's view of the Authority, or of
	// Revocations, may be, counted from before it was read. It is the bound
	// within which a revoked key's tokens end.
	SnapshotAge = 5 * time.Second
	// StaleAge is how old a verifier's view of the Authority may be while it
	// cannot be read. It is the bound within which tokens of a compromised
	// signing key end at such a time. There is none for revocations.
	StaleAge = 30 * time.Second
	// SignerAge is how old a signer's view of the signing keys may be.
	SignerAge = 60 * time.Second
	// lead is the time between publishing a verification key and the first
	// token signed with it.
	lead = 2 * SnapshotAge
	// overlap is how long a key is still verified once its successor is
	// published: lead, SignerAge and a token's lifetime, with room to spare.
	overlap = 5 * time.Minute
	// keepRetired is how long a verification key outlives its use, for
	// whoever looks into what happened.
	keepRetired = 24 * time.Hour
)

// Store keeps signing keys in one table, and verification keys and
// revocations in another.
type Store struct {
	// DB is the client of both tables.
	DB *dynamodb.Client
	// KeysTable holds the private keys.
	KeysTable string
	// TokensTable holds the verification keys and the revocations.
	TokensTable string
}

// Key is a key that signs.
type Key struct {
	// ID is the kid of the tokens that it signs.
	ID string
	// Private is the key; nil once it was destroyed.
	Private ed25519.PrivateKey
	// CreatedAt is when it was made.
	CreatedAt time.Time
	// SignsFrom is when it may sign for the first time.
	SignsFrom time.Time
	// RetiredAt is when its successor was made; zero for the newest.
	RetiredAt time.Time
}

// Pick returns the key to sign with at now: of those that may sign, the one that
// began last. It returns false if none may.
func Pick(keys []Key, now time.Time) (Key, bool) {
	var best Key
	for _, k := range keys {
		if k.Private != nil && !k.SignsFrom.After(now) && (best.ID == "" || k.SignsFrom.After(best.SignsFrom)) {
			best = k
		}
	}
	return best, best.ID != ""
}

// Attributes of items. Times are Unix seconds.
const (
	attrSeed      = "seed" // of a private key
	attrCreated   = "created_at"
	attrSigns     = "signs_from"
	attrRetired   = "retired_at"
	attrNewest    = "newest" // the id of the newest key, in the item ROTATION
	attrPublic    = "public" // of a verification key
	attrUntil     = "verify_until"
	attrDestroyed = "destroyed_at"
)

// pkSigning is the partition of all signing keys; the sort key is the kid.
const pkSigning = "SIGNING"

func decodeKey(item attr.Item) (Key, error) {
	r := attr.Read(item)
	k := Key{
		ID:        r.String("sk"),
		CreatedAt: r.Time(attrCreated),
		SignsFrom: r.Time(attrSigns),
		RetiredAt: r.Time(attrRetired),
	}
	if seed := r.Bytes(attrSeed); len(seed) == ed25519.SeedSize {
		k.Private = ed25519.NewKeyFromSeed(seed)
	}
	return k, r.Err()
}

func (k Key) item() attr.Item {
	return attr.Item{
		"pk": attr.String(pkSigning), "sk": attr.String(k.ID),
		attrSeed:    attr.Bytes(k.Private.Seed()),
		attrCreated: attr.Time(k.CreatedAt),
		attrSigns:   attr.Time(k.SignsFrom),
	}
}

func signingKey(id string) attr.Item {
	return attr.Item{"pk": attr.String(pkSigning), "sk": attr.String(id)}
}

// Keys reads the signing keys, the newest first.
func (s *Store) Keys(ctx context.Context) ([]Key, error) {
	items, err := s.list(ctx, s.KeysTable, pkSigning, " ")
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	keys := make([]Key, 0, len(items))
	for _, item := range items {
		k, err := decodeKey(item)
		if err != nil {
			return nil, fmt.Errorf("decode signing key: %w", err)
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Key) int {
		return cmp.Or(b.SignsFrom.Compare(a.SignsFrom), cmp.Compare(b.ID, a.ID))
	})
	return keys, nil
}

// list reads a partition of a table from the given sort key on.
func (s *Store) list(ctx context.Context, name, pk, from string) ([]attr.Item, error) {
	return s.table(name).All(ctx, table.Query{
		Key: []table.Condition{table.Equal("pk", attr.String(pk)), table.AtLeast("sk", attr.String(from))},
	})
}

func (s *Store) table(name string) table.Table { return table.Table{DB: s.DB, Name: name} }
