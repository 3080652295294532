package main

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// budget is the time that a VCS may still take, for all its responses of a call
// together. The time of the storage does not count, because it says nothing about
// the VCS. A budget is used by one goroutine.
type budget struct{ left time.Duration }

// spend calls a VCS within the budget. It returns vcshost.ErrNoAnswer, wrapped, if
// the budget is used up before the VCS has responded.
func (b *budget) spend(ctx context.Context, ask func(context.Context) error) error {
	asking, cancel := context.WithTimeout(ctx, b.left)
	defer cancel()
	began := time.Now()
	err := ask(asking)
	b.left -= time.Since(began)
	if err != nil && asking.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w in time: %w", vcshost.ErrNoAnswer, err)
	}
	return err
}

// refresher returns a refresher that works within the budget.
func (b *budget) refresher(refresh grant.Refresher) grant.Refresher {
	return func(ctx context.Context, token string) (next grant.Grant, err error) {
		err = b.spend(ctx, func(ctx context.Context) error { next, err = refresh(ctx, token); return err })
		return next, err
	}
}

// timed is a host whose requests have a budget.
type timed struct {
	host   membership.Host
	budget *budget
}

// Installations implements membership.Host.
func (t timed) Installations(ctx context.Context, token string) (ids []vcs.ID, err error) {
	err = t.budget.spend(ctx, func(ctx context.Context) error { ids, err = t.host.Installations(ctx, token); return err })
	return ids, err
}
