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
	// earlyReread is the least age of a reading of the authority before an unknown
	// key may cause a new one. Without it, every invented key would cost a read.
	// After a failed reading, too, the authority is not read again for this time.
	earlyReread = time.Second
	// readTimeout limits one reading of the remembered data. It leaves time within
	// storageTimeout for the read that is made if this one fails.
	readTimeout = time.Second
)

// errUnread says that the data that decides about a token could not be read. The
// token is then refused.
var errUnread = errors.New("what decides about the token cannot be read")

// errUnknownKey refuses a token of a key that the authority does not know, or no
// longer knows.
var errUnknownKey = errors.New("unknown signing key")

// authority remembers the verification keys as they were last read. The request
// that finds them too old reads them again. They are never read in the background:
// a function is frozen between requests, and the next request would wait for a
// connection that was frozen too.
type authority struct {
	read func(context.Context, time.Time) (signing.Authority, error)

	mu    sync.Mutex // one reader at a time: the others use what it reads
	last  signing.Authority
	tried time.Time // when the last reading was tried, with or without success
	err   error     // why it failed
}

// key returns a verification key. The last reading must be fresh. While new
// readings fail, it may be up to signing.StaleAge old. If it has no such key, key
// returns a refusal.
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

// reread reads the authority. If that fails, the last reading stays.
func (a *authority) reread(ctx context.Context, at time.Time) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var next signing.Authority
	if next, a.err = a.read(ctx, at); a.err == nil {
		a.last = next
	}
	a.tried = at
}
