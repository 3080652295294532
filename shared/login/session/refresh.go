package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// How long a refresh takes at most.
const (
	// leaseTime is how long a call has a grant for itself. Whoever dies with it
	// holds nobody up for longer.
	leaseTime = 15 * time.Second
	// askTime is how long the host may take of it.
	askTime = 10 * time.Second
	// keepTime is how long it may take to store what the host has answered. The
	// request may be over by then: a refresh token that is lost cannot be had again.
	keepTime = 4 * time.Second
)

// Token answers an access token of the holder that is good for some minutes,
// and refreshes the grant for it where need be. ErrNoGrant if the person has to
// log in again, ErrRefreshing if another call takes too long to refresh it.
//
// Hosts take a refresh token once, and end the access token that belongs to it.
// So one call at a time refreshes a grant, and the others wait for what it
// stores. A caller whose token the host refuses asks Renewed.
func (g *Grants) Token(ctx context.Context, of Holder, refresh Refresher, author change.Author) (string, error) {
	return g.token(ctx, of, refresh, author, "")
}

// Renewed answers another access token than one that Token gave and that the
// host refuses: another call may have refreshed the grant since, which ends the
// token. ErrNoGrant if nobody did: then the person took the grant back.
func (g *Grants) Renewed(ctx context.Context, of Holder, refused string, refresh Refresher, author change.Author) (string, error) {
	return g.token(ctx, of, refresh, author, refused)
}

func (g *Grants) token(ctx context.Context, of Holder, refresh Refresher, author change.Author, refused string) (string, error) {
	for wait := g.waiting(author.At); ; {
		now := wait.now()
		found, err := g.get(ctx, of)
		if err != nil {
			return "", err
		}
		taken := now.Before(found.refreshing)
		switch {
		case found.freshAt(now) && found.Access != refused:
			// Not to seal it again costs nothing now: the next call will.
			if err := g.sealAgain(ctx, of, found, author); err != nil && !overtaken(err) {
				g.report(ctx, of, "grant not sealed again", err)
			}
			return found.Access, nil
		case !taken && (found.freshAt(now) || found.Refresh == ""):
			return "", ErrNoGrant
		case !taken:
			err := g.lease(ctx, of, found, author, now)
			if err == nil {
				return g.refresh(ctx, of, found, refresh, author)
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

// overtaken reports whether a write was refused because another was first.
func overtaken(err error) bool {
	var changed *types.ConditionalCheckFailedException
	return errors.As(err, &changed)
}

// lease gives the grant to this call alone, until the lease ends.
func (g *Grants) lease(ctx context.Context, of Holder, found stored, author change.Author, now time.Time) error {
	values := attr.Item{
		":version": attr.String(found.version), ":now": attr.Int(now.UnixMilli()), ":until": attr.Int(now.Add(leaseTime).UnixMilli()),
	}
	set := "SET refreshing_until = :until, " + author.Set(values)
	return g.update(ctx, of, set, "version = :version AND (attribute_not_exists(refreshing_until) OR refreshing_until <= :now OR "+
		"refreshing_until = :until AND ch_req = :ch_req)", values)
}

// release ends the lease of a call that got nothing of the host, so that the
// next one need not wait for its end.
func (g *Grants) release(ctx context.Context, of Holder, found stored, author change.Author) {
	values := attr.Item{":version": attr.String(found.version)}
	err := g.update(ctx, of, "SET "+author.Set(values)+" REMOVE refreshing_until", "version = :version AND ch_req = :ch_req", values)
	if err != nil && !overtaken(err) {
		g.report(ctx, of, "lease of a grant not ended", err)
	}
}

// refresh asks the host for the next grant, and stores it. Once the host has
// answered, the caller has its token whatever becomes of that.
func (g *Grants) refresh(ctx context.Context, of Holder, found stored, refresh Refresher, author change.Author) (string, error) {
	asking, cancel := context.WithTimeout(ctx, askTime)
	next, err := refresh(asking, found.Refresh)
	cancel()
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	if err != nil {
		g.release(keeping, of, found, author)
		if errors.Is(err, ErrRefused) {
			return g.other(keeping, of, found, author.At)
		}
		return "", fmt.Errorf("refresh grant: %w", err)
	}
	err = g.put(keeping, of, next, author, found.version)
	if overtaken(err) { // by another login
		return g.other(keeping, of, found, author.At)
	}
	if err != nil {
		g.report(ctx, of, "grant not stored: the person has to log in again when it ends", err)
	}
	return next.Access, nil
}

// other answers the token of the grant that somebody has stored instead.
func (g *Grants) other(ctx context.Context, of Holder, was stored, now time.Time) (string, error) {
	found, err := g.get(ctx, of)
	if err != nil {
		return "", err
	}
	if found.version == was.version || !found.freshAt(now) {
		return "", ErrNoGrant
	}
	return found.Access, nil
}

// waiting is a call that waits for another one to refresh a grant.
type waiting struct {
	asked    time.Time // when the call was made, by its own clock
	began    time.Time
	patience time.Duration
	next     time.Duration
}

// Bounds of a wait. Pauses are drawn, so that calls do not meet again.
const (
	patience   = 3 * time.Second
	firstPause = 100 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

func (g *Grants) waiting(asked time.Time) *waiting {
	w := &waiting{asked: asked, began: time.Now(), patience: patience, next: firstPause}
	if g.Patience > 0 {
		w.patience = g.Patience
	}
	return w
}

// now is the time by the clock of the call.
func (w *waiting) now() time.Time { return w.asked.Add(time.Since(w.began)) }

// pause waits a while; ErrRefreshing if the call has waited long enough.
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
