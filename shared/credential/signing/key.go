// Package signing holds what access tokens depend on: the keys that sign them, the
// keys that verify them, and the API keys whose tokens must be refused. Private
// keys are in a table of their own, which verifiers cannot read. The package has
// two invariants:
//
//   - No token is signed with a key before every verifier has had time to read that
//     key. Only the first key, and a key that follows a compromise, signs at once.
//   - A key is verified for longer than the last token that it signed is valid, unless
//     it is compromised.
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

// How one key follows another. Tokens live for 60 s, and a signer may use keys that
// it read up to 60 s ago.
const (
	// SnapshotAge is the largest age of a verifier's view of the Authority, or of
	// Revocations, counted from before it was read. A revoked key's tokens end
	// within this time.
	SnapshotAge = 5 * time.Second
	// StaleAge is the largest age of a verifier's view of the Authority while it
	// cannot be read. During such a time, tokens of a compromised signing key end
	// within StaleAge. Revocations have no such time.
	StaleAge = 30 * time.Second
	// SignerAge is the largest age of a signer's view of the signing keys.
	SignerAge = 60 * time.Second
	// lead is the time between publishing a verification key and the first
	// token signed with it.
	lead = 2 * SnapshotAge
	// overlap is how long a key is still verified after its successor is published.
	// It is longer than lead, SignerAge and a token's lifetime together.
	overlap = 5 * time.Minute
	// keepRetired is how long a verification key is kept after its end, so that an
	// operator can investigate.
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
	// Private is the key. It is nil after the key was destroyed.
	Private ed25519.PrivateKey
	// CreatedAt is when it was made.
	CreatedAt time.Time
	// SignsFrom is when it may sign for the first time.
	SignsFrom time.Time
	// RetiredAt is when its successor was made. It is zero for the newest key.
	RetiredAt time.Time
}

// Pick returns the key to sign with at the time now: of the keys that may sign, the
// one with the latest SignsFrom. It returns false if no key may sign.
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

// list reads a partition of a table, beginning at the given sort key.
func (s *Store) list(ctx context.Context, name, pk, from string) ([]attr.Item, error) {
	return s.table(name).All(ctx, table.Query{
		Key: []table.Condition{table.Equal("pk", attr.String(pk)), table.AtLeast("sk", attr.String(from))},
	})
}

func (s *Store) table(name string) table.Table { return table.Table{DB: s.DB, Name: name} }
