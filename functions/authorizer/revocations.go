package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/telemetry"
)

// maxChecked is the largest number of remembered API keys that were read one by
// one.
const maxChecked = 10_000

// revocations finds out whether the API key of a token is revoked. There are two
// ways:
//
//   - One list, read at most once in signing.SnapshotAge, clears all keys of its users
//     that it does not contain.
//   - If the list cannot be read, or is too long to be read whole, the key's own item
//     decides. It is also read at most once in signing.SnapshotAge.
//
// So if many revocations fill a list, or its partition is throttled, each token
// costs a read, but no token is refused for that reason. In both cases a token is
// checked against data that was stored less than signing.SnapshotAge ago, or not at
// all.
type revocations struct {
	read func(ctx context.Context, list int, now time.Time) (signing.Revocations, error)
	find func(ctx context.Context, user, id string) (apikey.Key, error)
	log  *slog.Logger

	lists [signing.RevocationLists]revocationList

	mu      sync.Mutex
	checked map[string]finding // by API key
}

// revocationList is one list as it was last read.
type revocationList struct {
	mu    sync.Mutex // one reader at a time: the others use what it reads
	last  signing.Revocations
	tried time.Time // when the last reading was tried, with or without success
}

// finding is what an API key's own item says.
type finding struct {
	// at is when the reading began.
	at      time.Time
	revoked bool
}

// has reports whether the API key of a token is revoked. It returns errUnread if
// that cannot be found out.
func (r *revocations) has(ctx context.Context, caller access.Caller, now func() time.Time) (bool, error) {
	l := r.list(ctx, signing.RevocationList(caller.User), now)
	switch {
	case l.Has(caller.Key):
		return true, nil
	case l.ClearsAt(now()):
		return false, nil
	}
	return r.check(ctx, caller, now())
}

// list returns a list, and reads it again if it is too old. After a failure it does
// not read the list again for earlyReread, because retries would keep a throttled
// partition busy.
func (r *revocations) list(ctx context.Context, number int, now func() time.Time) signing.Revocations {
	l := &r.lists[number]
	l.mu.Lock()
	defer l.mu.Unlock()
	at := now()
	if l.last.FreshAt(at) || signing.Within(l.tried, at, earlyReread) {
		return l.last
	}
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	next, err := r.read(reading, number, at)
	l.tried = at
	if err != nil {
		r.log.LogAttrs(ctx, slog.LevelWarn, "revocations not read: each key is asked for by itself",
			slog.String("request_id", telemetry.Invocation(ctx)), slog.String("error", err.Error()))
		return l.last
	}
	l.last = next
	return next
}

// check reads the API key itself, unless that was done just before.
func (r *revocations) check(ctx context.Context, caller access.Caller, at time.Time) (bool, error) {
	r.mu.Lock()
	known, ok := r.checked[caller.Key]
	r.mu.Unlock()
	if ok && (known.revoked || signing.Within(known.at, at, signing.SnapshotAge)) {
		return known.revoked, nil
	}
	key, err := r.find(ctx, caller.User, caller.Key)
	if err != nil && !errors.Is(err, apikey.ErrNotFound) {
		return false, fmt.Errorf("%w: %w", errUnread, err)
	}
	found := finding{at: at, revoked: !key.LiveAt(at)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.checked == nil || len(r.checked) >= maxChecked {
		r.checked = map[string]finding{}
	}
	r.checked[caller.Key] = found
	return found.revoked, nil
}
