package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/opsplane/opsplane/shared/signing"
)

// earlyReread is how old the authority's word must be to be read again for a
// key that it does not know: made-up keys must not cost a read each.
const earlyReread = time.Second

// errUnread says that the authority could not be read, so that nobody's token
// can be judged.
var errUnread = errors.New("signing authority")

// errUnknownKey refuses a token of a key that the authority does not know, or
// no longer.
var errUnknownKey = errors.New("unknown signing key")

// authority remembers what the signing authority last said. It is read again
// by the request that finds it too old, never in the background: between
// requests a function is frozen, and a connection that froze with it would be
// waited for by the next request.
type authority struct {
	read func(context.Context, time.Time) (signing.Authority, error)

	mu   sync.Mutex // one reader at a time: the others use what it brings
	last signing.Authority
}

// key answers a verification key, on the word of an authority that is fresh;
// a refusal if it knows no such key.
func (a *authority) key(ctx context.Context, kid string, now func() time.Time) (ed25519.PublicKey, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := now()
	public, known := a.last.Key(kid, at)
	if !a.last.FreshAt(at) || !known && at.Sub(a.last.ReadAt) >= earlyReread {
		next, err := a.read(ctx, at)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errUnread, err)
		}
		a.last = next
		public, known = next.Key(kid, at)
	}
	if !known {
		return nil, errUnknownKey
	}
	return public, nil
}

// revoked reports whether the API key is among the revoked ones, on the word
// that key has just answered from.
func (a *authority) revoked(apiKey string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last.Revoked(apiKey)
}
