package dispatch

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

const (
	// maxClosed is how many runs of a closed pull request one sweep works at. The next
	// sweep goes on.
	maxClosed = 100
	// closedLook is the time between two looks at a closed pull request that has a run
	// which is queued or running.
	closedLook = 10 * time.Minute
)

// sweepClosed removes the plans of pull requests that were closed.
func (d Dispatcher) sweepClosed(ctx context.Context) error {
	due, err := d.Runs.ClosedDue(ctx, d.Now(), maxDue)
	all := []error{err}
	for _, c := range due {
		if near(ctx) {
			break
		}
		all = append(all, d.closed(ctx, c))
	}
	return errors.Join(all...)
}

// closed removes the plans of a pull request, the oldest first. While a run of it is
// queued or running, nothing is removed: an apply uses plans, and a plan stores more.
// If it is interrupted, the next sweep does it again.
func (d Dispatcher) closed(ctx context.Context, c runstore.Closed) (err error) {
	defer frame.Guard(&err)
	active, err := d.Runs.Active(ctx, c.Repository)
	if err != nil {
		return err
	}
	origin := run.OriginOfPullRequest(c.Number)
	if slices.ContainsFunc(active, func(a runstore.Active) bool { return a.Origin == origin && a.State.Active() }) {
		return d.Runs.PostponeClosed(ctx, c, d.Now().Add(closedLook))
	}
	list, err := d.Runs.OfClosed(ctx, c, maxClosed)
	if err != nil {
		return err
	}
	for _, r := range list {
		if !r.Type.IsPlan() {
			continue
		}
		if err := d.Plans.Remove(ctx, r.ID); err != nil {
			return err
		}
	}
	if len(list) > 0 {
		if err := d.Runs.PlansGone(ctx, c, list[len(list)-1], d.Now()); err != nil {
			return err
		}
	}
	if len(list) == maxClosed {
		return nil // it stays due
	}
	return d.Runs.DoneClosed(ctx, c)
}
