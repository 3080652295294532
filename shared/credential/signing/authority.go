package signing

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// The partition of the verification keys. Verifiers read all of it. No caller can
// make it grow.
const (
	pkAuthority        = "AUTHORITY"
	prefixVerification = "V#"
)

// verification is a key that verifies tokens.
type verification struct {
	public ed25519.PublicKey
	// until is when the key ends. It is zero for the key in use.
	until time.Time
}

func (v verification) validAt(now time.Time) bool { return v.until.IsZero() || now.Before(v.until) }

// Authority holds the verification keys as they were when the reading began.
type Authority struct {
	// ReadAt is when the reading began.
	ReadAt time.Time
	keys   map[string]verification
}

// FreshAt reports whether the view may be used without reading it again.
func (a Authority) FreshAt(now time.Time) bool {
	return a.keys != nil && Within(a.ReadAt, now, SnapshotAge)
}

// BearableAt reports whether the view may still be used while it cannot be read
// again.
func (a Authority) BearableAt(now time.Time) bool {
	return a.keys != nil && Within(a.ReadAt, now, StaleAge)
}

// Within reports whether something that was read at readAt is less than age old.
// Times are compared by the wall clock, because the monotonic clock may stop while
// a function's environment is frozen. Within returns false for a reading in the
// future: the clock was then set back.
func Within(readAt, now time.Time, age time.Duration) bool {
	old := now.Round(0).Sub(readAt.Round(0))
	return old >= 0 && old < age
}

// Key returns the verification key with this id, if it is valid at the time now.
func (a Authority) Key(kid string, now time.Time) (ed25519.PublicKey, bool) {
	v, ok := a.keys[kid]
	return v.public, ok && v.validAt(now)
}

// Authority reads the verification keys at the time now, with one query. The
// reading is strongly consistent: it contains every rotation that ended before it
// began.
func (s *Store) Authority(ctx context.Context, now time.Time) (Authority, error) {
	a := Authority{ReadAt: now, keys: map[string]verification{}}
	items, err := s.list(ctx, s.TokensTable, pkAuthority, prefixVerification)
	if err != nil {
		return Authority{}, fmt.Errorf("read verification keys: %w", err)
	}
	for _, item := range items {
		r := attr.Read(item)
		kid := strings.TrimPrefix(r.String("sk"), prefixVerification)
		a.keys[kid] = verification{public: r.Bytes(attrPublic), until: r.Time(attrUntil)}
		if err := r.Err(); err != nil {
			return Authority{}, fmt.Errorf("decode verification key %s: %w", kid, err)
		}
	}
	return a, nil
}

func verificationKey(kid string) attr.Item {
	return attr.Item{"pk": attr.String(pkAuthority), "sk": attr.String(prefixVerification + kid)}
}

func (v verification) item(kid string) attr.Item {
	item := verificationKey(kid)
	item[attrPublic] = attr.Bytes(v.public)
	return item
}
