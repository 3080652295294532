package grant

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// The maximum times of a refresh.
const (
	// leaseTime is the lease of the call that refreshes a grant. If that call dies,
	// the others wait no longer than this.
	leaseTime = 15 * time.Second
	// askTime is the part of it that the host may take.
	askTime = 10 * time.Second
	// keepTime is the maximum time for storing what the host has returned. The
	// request may be over by then. The grant must still be stored, because the host
	// does not give a lost refresh token again.
	keepTime = 4 * time.Second
)

// Token returns an access token of the holder that is valid for some minutes. It
// refreshes the grant if that is needed. It returns ErrNone if the person must
// log in again, and ErrRefreshing if another call takes too long to refresh the
// grant.
//
// Hosts accept a refresh token once, and then end the access token that belongs to
// it. So one call at a time refreshes a grant. The others wait for what it stores.
// If the host refuses the token, the caller must call Renewed.
func (s *Store) Token(ctx context.Context, of Holder, refresh Refresher, author change.Author) (string, error) {
	return s.token(ctx, of, refresh, author, "")
}

// Renewed returns another access token, if the host refuses one that Token has
// returned: another call may have refreshed the grant since, which ends the token.
// It returns ErrNone if no call has refreshed it: then the person has revoked
// the grant.
func (s *Store) Renewed(ctx context.Context, of Holder, refused string, refresh Refresher, author change.Author) (string, error) {
	return s.token(ctx, of, refresh, author, refused)
}

func (s *Store) token(ctx context.Context, of Holder, refresh Refresher, author change.Author, refused string) (string, error) {
	for wait := s.waiting(author.At); ; {
		now := wait.now()
		found, err := s.get(ctx, of)
		if err != nil {
			return "", err
		}
		taken := now.Before(found.refreshing)
		switch {
		case found.freshAt(now) && found.Access != refused:
			// A failure does no harm here: the next call seals the grant again.
			if err := s.sealAgain(ctx, of, found, author); err != nil && !overtaken(err) {
				s.report(ctx, of, "grant not sealed again", err)
			}
			return found.Access, nil
		case !taken && (found.freshAt(now) || found.Refresh == ""):
			return "", ErrNone
		case !taken:
			err := s.lease(ctx, of, found, author, now)
			if err == nil {
				return s.refresh(ctx, of, found, refresh, author)
			}
			if !overtaken(err) {
				return "", err
			}
		}
		if err := wait.pause(ctx); err != nil {
			return "", err
		}
	}
}

// overtaken reports whether a write was refused because another write was first.
func overtaken(err error) bool {
	_, failed := table.ConditionFailed(err)
	return failed
}

// lease gives this call the lease of the grant.
func (s *Store) lease(ctx context.Context, of Holder, found stored, author change.Author, now time.Time) error {
	until := attr.Int(now.Add(leaseTime).UnixMilli())
	return s.update(ctx, table.Change(of.key()).Set(attrRefreshing, until).SetAll(author.All()).
		If(table.Equal(attrVersion, attr.String(found.version)), table.Any(
			table.Absent(attrRefreshing),
			table.AtMost(attrRefreshing, attr.Int(now.UnixMilli())),
			// The response to an earlier attempt was lost.
			table.Every(table.Equal(attrRefreshing, until), table.Equal(change.AttrRequest, attr.String(author.Request))),
		)))
}

// release ends the lease of a call that got no grant from the host, so that the
// next call does not have to wait for its end.
func (s *Store) release(ctx context.Context, of Holder, found stored, author change.Author) {
	err := s.update(ctx, table.Change(of.key()).SetAll(author.All()).Remove(attrRefreshing).
		If(table.Equal(attrVersion, attr.String(found.version)), table.Equal(change.AttrRequest, attr.String(author.Request))))
	if err != nil && !overtaken(err) {
		s.report(ctx, of, "lease of a grant not ended", err)
	}
}

// refresh asks the host for the next grant and stores it. Once the host has given
// the grant, the caller gets its token, even if storing fails.
func (s *Store) refresh(ctx context.Context, of Holder, found stored, refresh Refresher, author change.Author) (string, error) {
	asking, cancel := context.WithTimeout(ctx, askTime)
	next, err := refresh(asking, found.Refresh)
	cancel()
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	if err != nil {
		s.release(keeping, of, found, author)
		if errors.Is(err, ErrRefused) {
			return s.other(keeping, of, found, author.At)
		}
		return "", fmt.Errorf("refresh grant: %w", err)
	}
	err = s.put(keeping, of, next, author, found.version)
	if overtaken(err) { // another login was first
		return s.other(keeping, of, found, author.At)
	}
	if err != nil {
		s.report(ctx, of, "grant not stored: the person has to log in again when it ends", err)
	}
	return next.Access, nil
}

// other returns the token of the grant that another call has stored instead.
func (s *Store) other(ctx context.Context, of Holder, was stored, now time.Time) (string, error) {
	found, err := s.get(ctx, of)
	if err != nil {
		return "", err
	}
	if found.version == was.version || !found.freshAt(now) {
		return "", ErrNone
	}
	return found.Access, nil
}

// waiting is a call that waits for another call to refresh a grant.
type waiting struct {
	asked    time.Time // the time of the call, by the caller's clock
	began    time.Time
	patience time.Duration
	next     time.Duration
}

// Limits of a wait. Pauses are random, so that calls do not meet again.
const (
	patience   = 3 * time.Second
	firstPause = 100 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

func (s *Store) waiting(asked time.Time) *waiting {
	w := &waiting{asked: asked, began: time.Now(), patience: patience, next: firstPause}
	if s.Patience > 0 {
		w.patience = s.Patience
	}
	return w
}

// now returns the time by the clock of the call.
func (w *waiting) now() time.Time { return w.asked.Add(time.Since(w.began)) }

// pause waits for a short time. It returns ErrRefreshing if the call has waited
// long enough.
func (w *waiting) pause(ctx context.Context) error {
	if time.Since(w.began) >= w.patience {
		return ErrRefreshing
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(w.next/2 + rand.N(w.next)):
	}
	w.next = min(2*w.next, lastPause)
	return nil
}
