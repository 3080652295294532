package signing

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/change"
)

// The partition that verifiers read whole. Revocations sort before
// verification keys, so that one range from some time on has the revocations
// since then and every key.
const (
	pkAuthority        = "AUTHORITY"
	prefixRevocation   = "R#"
	prefixVerification = "V#"
)

// RevocationWindow is how long a revocation is told to verifiers. A token may
// be minted for a request that was let in just before its key was revoked, at
// most 29 s later, and lives for 60 s.
const RevocationWindow = 120 * time.Second

// verification is a key that verifies.
type verification struct {
	public ed25519.PublicKey
	// until is when it stops; zero for the key in use.
	until time.Time
}

func (v verification) validAt(now time.Time) bool { return v.until.IsZero() || now.Before(v.until) }

// Authority is what a verifier must know, as it was when the reading began.
type Authority struct {
	// ReadAt is when the reading began.
	ReadAt  time.Time
	keys    map[string]verification
	revoked map[string]struct{}
}

// FreshAt reports whether the view may still be used. Times are compared as
// wall clocks: the monotonic clock may stand still while a function's
// environment is frozen. A view from the future is not fresh, as the clock
// was set back.
func (a Authority) FreshAt(now time.Time) bool {
	age := now.Round(0).Sub(a.ReadAt.Round(0))
	return a.keys != nil && age >= 0 && age < SnapshotAge
}

// Key answers the verification key with this id, if it is good at now.
func (a Authority) Key(kid string, now time.Time) (ed25519.PublicKey, bool) {
	v, ok := a.keys[kid]
	return v.public, ok && v.validAt(now)
}

// Revoked reports whether the API key was revoked within RevocationWindow.
func (a Authority) Revoked(apiKey string) bool {
	_, ok := a.revoked[apiKey]
	return ok
}

// Authority reads what verifiers must know at now, with one query (more only
// if it exceeds 1 MB). The reading is strongly consistent: it has every
// revocation that was answered before it began.
func (s *Store) Authority(ctx context.Context, now time.Time) (Authority, error) {
	a := Authority{ReadAt: now, keys: map[string]verification{}, revoked: map[string]struct{}{}}
	items, err := s.query(ctx, s.TokensTable, pkAuthority, revocationKey(now.Add(-RevocationWindow), ""))
	if err != nil {
		return Authority{}, fmt.Errorf("read authority: %w", err)
	}
	for _, item := range items {
		r := attr.Read(item)
		sk := r.String("sk")
		if kid, ok := strings.CutPrefix(sk, prefixVerification); ok {
			a.keys[kid] = verification{public: r.Bytes("public"), until: r.Time("verify_until")}
		} else {
			a.revoked[r.String("key")] = struct{}{}
		}
		if err := r.Err(); err != nil {
			return Authority{}, fmt.Errorf("decode authority %s: %w", sk, err)
		}
	}
	return a, nil
}

// Revocation is the item that tells verifiers of a revoked API key. It is to
// be written in the transaction that revokes the key.
func Revocation(apiKey string, author change.Author) attr.Item {
	item := attr.Item{
		"pk":  attr.String(pkAuthority),
		"sk":  attr.String(revocationKey(author.At, apiKey)),
		"key": attr.String(apiKey),
		"ttl": attr.Time(author.At.Add(RevocationWindow)),
	}
	author.AddTo(item)
	return item
}

// revocationKey sorts revocations by time. Twelve digits last for 30,000
// years.
func revocationKey(at time.Time, apiKey string) string {
	return fmt.Sprintf("%s%012d#%s", prefixRevocation, at.Unix(), apiKey)
}

func verificationKey(kid string) attr.Item {
	return attr.Item{"pk": attr.String(pkAuthority), "sk": attr.String(prefixVerification + kid)}
}

func (v verification) item(kid string) attr.Item {
	item := verificationKey(kid)
	item["public"] = attr.Bytes(v.public)
	return item
}
