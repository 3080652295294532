package signing

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Rotation is a reason to change the signing key.
type Rotation int

// The kinds of rotation.
const (
	// Planned lets the tokens of the old key expire normally. No caller notices.
	Planned Rotation = iota
	// Compromised refuses every token of every earlier key within SnapshotAge, and
	// destroys those keys. Callers are refused until the signers have read the new
	// key, which takes at most SignerAge.
	Compromised
)

// ErrContended refuses a rotation because another one was made at the same time.
var ErrContended = errors.New("another rotation of the signing key took place at the same time")

// maxActive is the largest number of keys that one rotation can retire. A
// transaction has at most 100 items: the new key needs three, and each old key
// needs two.
const maxActive = 48

// Rotate makes a new signing key and retires the others in one transaction, so that
// there always is a key. The very first key, and a key that follows a compromise,
// signs at once. Any other key signs only when every verifier knows it. Rotate
// returns the new key's id.
func (s *Store) Rotate(ctx context.Context, how Rotation, author change.Author) (string, error) {
	// This is read first, so that a rotation that ends after this reading makes
	// this one fail.
	newest, err := s.newest(ctx)
	if err != nil {
		return "", err
	}
	old, err := s.Keys(ctx)
	if err != nil {
		return "", err
	}
	published, err := s.list(ctx, s.TokensTable, pkAuthority, prefixVerification)
	if err != nil {
		return "", fmt.Errorf("read verification keys: %w", err)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make a signing key: %w", err)
	}
	now := author.At.Truncate(time.Second)
	next := Key{ID: uuid.NewString(), Private: private, CreatedAt: now, SignsFrom: now.Add(lead)}
	if _, signs := Pick(old, now); !signs || how == Compromised {
		next.SignsFrom = now
	}
	writes := []table.Write{
		s.put(s.KeysTable, next.item(), author),
		s.put(s.TokensTable, verification{public: public}.item(next.ID), author),
		s.succeed(newest, next.ID, author),
	}
	writes = append(writes, s.retireKeys(old, how, author)...)
	writes = append(writes, s.retireVerifications(published, old, how, author)...)
	if len(writes) > 3+2*maxActive {
		return "", fmt.Errorf("more than %d signing keys are in use: wait until some have expired", maxActive)
	}
	err = s.table(s.KeysTable).TransactOnce(ctx, "", writes...)
	if table.Canceled(err) {
		return "", fmt.Errorf("%w: %w", ErrContended, err)
	}
	if err != nil {
		return "", fmt.Errorf("rotate signing key: %w", err)
	}
	return next.ID, nil
}

// rotationKey returns the key of the item that names the newest signing key.
// Rotations compete for it. Without this item, a rotation could not notice that
// another one made a key meanwhile.
func rotationKey() attr.Item {
	return attr.Item{"pk": attr.String("ROTATION"), "sk": attr.String("ROTATION")}
}

// newest returns the id of the newest key. It is empty before the first key.
func (s *Store) newest(ctx context.Context) (string, error) {
	item, err := s.table(s.KeysTable).Get(ctx, rotationKey())
	if err != nil {
		return "", fmt.Errorf("read the newest signing key: %w", err)
	}
	r := attr.Read(item)
	return r.String(attrNewest), r.Err()
}

// succeed makes next the newest key, if the newest key is still the one that was
// read.
func (s *Store) succeed(newest, next string, author change.Author) table.Write {
	is := table.Absent(attrNewest)
	if newest != "" {
		is = table.Equal(attrNewest, attr.String(newest))
	}
	return s.table(s.KeysTable).WriteUpdate(table.Change(rotationKey()).Set(attrNewest, attr.String(next)).SetAll(author.All()).If(is))
}

// retireKeys ends the keys that sign. After a planned rotation they keep their
// seed, because they sign until their successor may.
func (s *Store) retireKeys(old []Key, how Rotation, author change.Author) []table.Write {
	var writes []table.Write
	for _, k := range old {
		if k.Private == nil || how == Planned && !k.RetiredAt.IsZero() {
			continue
		}
		u := table.Change(signingKey(k.ID)).Set(attrRetired, attr.Time(author.At)).Set("ttl", attr.Time(author.At.Add(overlap))).
			SetAll(author.All()).If(table.Exists(attrSeed))
		if how == Compromised {
			u.Remove(attrSeed)
		} else {
			u.If(table.Absent(attrRetired))
		}
		writes = append(writes, s.table(s.KeysTable).WriteUpdate(u))
	}
	return writes
}

// retireVerifications ends the keys that verify: after the overlap, or at once if
// earlier keys may have leaked. If a compromise destroys a private key now,
// retireVerifications records that on its verification key too, even if that key
// has already ended.
func (s *Store) retireVerifications(published []attr.Item, old []Key, how Rotation, author change.Author) []table.Write {
	until := author.At.Add(overlap)
	if how == Compromised {
		until = author.At
	}
	var writes []table.Write
	for _, item := range published {
		r := attr.Read(item)
		kid, end := strings.TrimPrefix(r.String("sk"), prefixVerification), r.Time(attrUntil)
		destroyed := how == Compromised && slices.ContainsFunc(old, func(k Key) bool { return k.ID == kid && k.Private != nil })
		ends := end.IsZero() || how == Compromised && end.After(until)
		if !ends && !destroyed {
			continue
		}
		last := until
		if !ends {
			last = end
		}
		u := table.Change(verificationKey(kid)).Set(attrUntil, attr.Time(last)).Set("ttl", attr.Time(last.Add(keepRetired))).
			SetAll(author.All()).If(table.Exists("pk"))
		if destroyed {
			u.Set(attrDestroyed, attr.Time(author.At))
		}
		if how == Planned {
			u.If(table.Absent(attrUntil))
		}
		writes = append(writes, s.table(s.TokensTable).WriteUpdate(u))
	}
	return writes
}

// put creates an item, on the condition that it does not exist.
func (s *Store) put(name string, item attr.Item, author change.Author) table.Write {
	author.AddTo(item)
	return s.table(name).WritePut(item, table.Absent("pk"))
}
