package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/opsplane/opsplane/shared/credential/signing"
)

const (
	// earlyReread is how long ago the authority must have been read to be read
	// again for a key that it does not know: made-up keys must not cost a read
	// each. What could not be read is left alone for as long.
	earlyReread = time.Second
	// readTimeout bounds one reading of what is remembered. It leaves room in
	// storageTimeout for what is asked where that fails.
	readTimeout = time.Second
)

// errUnread says that what decides about a token could not be read. It is not
// let in.
var errUnread = errors.New("what decides about the token cannot be read")

// errUnknownKey refuses a token of a key that the authority does not know, or
// no longer.
var errUnknownKey = errors.New("unknown signing key")

// authority remembers what the signing authority last said. It is read again
// by the request that finds it too old, never in the background: between
// requests a function is frozen, and a connection that froze with it would be
// waited for by the next request.
type authority struct {
	read func(context.Context, time.Time) (signing.Authority, error)

	mu    sync.Mutex // one reader at a time: the others use what it brings
	last  signing.Authority
	tried time.Time // when it was last read, or could not be
	err   error     // why it could not be
}

// key answers a verification key, on the word of an authority that is fresh,
// or, while it cannot be read, on its last word for up to signing.StaleAge; a
// refusal if it knows no such key.
func (a *authority) key(ctx context.Context, kid string, now func() time.Time) (ed25519.PublicKey, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := now()
	public, known := a.last.Key(kid, at)
	if (!a.last.FreshAt(at) || !known) && !signing.Within(a.tried, at, earlyReread) {
		a.reread(ctx, at)
		public, known = a.last.Key(kid, at)
	}
	switch {
	case known && a.last.BearableAt(at):
		return public, nil
	case a.last.FreshAt(at):
		return nil, errUnknownKey
	}
	return nil, fmt.Errorf("%w: %w", errUnread, a.err)
}

// reread reads the authority. What was known stays where that fails.
func (a *authority) reread(ctx context.Context, at time.Time) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var next signing.Authority
	if next, a.err = a.read(ctx, at); a.err == nil {
		a.last = next
	}
	a.tried = at
}
