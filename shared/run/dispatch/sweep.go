package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

const (
	// maxDue is how many entries of a list one sweep works at.
	maxDue = 100
	// startLook is the time between two looks at a CI run whose runner has not asked
	// for its work.
	startLook = 2 * time.Minute
	// blockedLook is the time between two looks of the schedule at a run that waits for
	// others. The end of the others wakes the dispatcher too.
	blockedLook = 2 * time.Minute
	// cancelFor is how long it is tried to cancel the CI job of an aborted run.
	cancelFor = time.Hour
)

// Sweep does what is due: it removes creations that were not finished, starts runs that
// wait, ends runs whose CI job does not do its work, and does what follows the end of
// runs and the closing of pull requests. A failure does not stop the others.
func (d Dispatcher) Sweep(ctx context.Context) error {
	var all []error
	for _, part := range []struct {
		list runstore.List
		do   func(context.Context, runstore.Due) error
	}{
		{runstore.EndedList, d.sweepEnded},
		{runstore.StartList, d.sweepStarted},
		{runstore.ReportList, d.sweepRunning},
		{runstore.CreatingList, d.sweepCreating},
	} {
		due, err := d.Runs.Due(ctx, part.list, d.Now(), maxDue)
		all = append(all, err)
		for _, entry := range due {
			if ctx.Err() != nil {
				return errors.Join(append(all, ctx.Err())...)
			}
			all = append(all, guarded(ctx, entry, part.do))
		}
	}
	return errors.Join(append(all, d.sweepWaiting(ctx), d.sweepClosed(ctx))...)
}

// guarded does a piece of work whose panic must not stop the others.
func guarded(ctx context.Context, entry runstore.Due, do func(context.Context, runstore.Due) error) (err error) {
	defer frame.Guard(&err)
	return do(ctx, entry)
}

// sweepWaiting starts queued runs that wait. Those that still wait afterwards are due
// again later.
func (d Dispatcher) sweepWaiting(ctx context.Context) error {
	due, err := d.Runs.Due(ctx, runstore.DispatchList, d.Now(), maxDue)
	all := []error{err}
	done := map[vcs.Repository]bool{}
	for _, entry := range due {
		if near(ctx) {
			break
		}
		waiting, stale, err := d.Runs.Stale(ctx, entry)
		if err == nil && !stale && !done[waiting.Repository] {
			done[waiting.Repository] = true
			err = d.Repository(ctx, waiting.Repository)
			if err == nil {
				waiting, stale, err = d.Runs.Stale(ctx, entry)
			}
		}
		if err == nil && !stale && !near(ctx) {
			err = harmless(d.Runs.Postpone(ctx, waiting, d.Now().Add(blockedLook), d.author()))
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

func (d Dispatcher) sweepCreating(ctx context.Context, entry runstore.Due) error {
	return d.Runs.RemoveUnfinished(ctx, entry, d.Unfinished, d.author())
}

// sweepStarted looks at a run whose runner has not asked for its work.
func (d Dispatcher) sweepStarted(ctx context.Context, entry runstore.Due) error {
	r, stale, err := d.Runs.Stale(ctx, entry)
	if err != nil || stale {
		return err
	}
	late := run.ReasonNeverStarted(d.Runs.Limits.Start)
	if r.Dispatch.Problem != "" {
		late = run.ReasonMaybeNeverStarted(d.Runs.Limits.Start, r.Dispatch.Problem)
	}
	return d.look(ctx, r, r.Dispatch.At.Add(d.Runs.Limits.Start), startLook, late)
}

// sweepRunning looks at a run whose runner has sent no result.
func (d Dispatcher) sweepRunning(ctx context.Context, entry runstore.Due) error {
	r, stale, err := d.Runs.Stale(ctx, entry)
	if err != nil || stale {
		return err
	}
	return d.look(ctx, r, r.StartedAt.Add(d.Runs.Limits.Report), runstore.NextLook, run.ReasonNeverReported(d.Runs.Limits.Report))
}

// look asks the host for the CI run of a run, and ends the run if the CI run is over. It
// ends the run for the reason late if its time is over. Otherwise it looks again after
// a pause.
func (d Dispatcher) look(ctx context.Context, r run.Run, deadline time.Time, pause time.Duration, late run.Reason) error {
	over, reason := d.over(ctx, r)
	now := d.Now()
	if !over && now.Before(deadline) {
		next := now.Add(pause)
		if next.After(deadline) {
			next = deadline
		}
		return harmless(d.Runs.Postpone(ctx, r, next, d.author()))
	}
	if !over {
		reason = late
	}
	_, ended, err := d.Runs.Abort(ctx, r.ID, runstore.Abortion{Reason: reason, Version: r.Version}, d.author())
	if ended {
		d.Tally.Ended.Add(1)
		d.Log.LogAttrs(ctx, slog.LevelInfo, "a run was ended", slog.String("run", string(r.ID)), slog.String("reason", string(reason.Code)))
	}
	return harmless(err)
}

// over reports whether the host says that the CI run of a run is over, and the reason
// for which the run ends then. A host that cannot be asked says nothing.
func (d Dispatcher) over(ctx context.Context, r run.Run) (bool, run.Reason) {
	id := r.HostID()
	if id == "" {
		return false, run.Reason{}
	}
	own, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	client, err := d.Open(own, r.Repository.Installation)
	var seen vcshost.CIProgress
	if err == nil {
		seen, err = client.CIProgress(own, described(r), id)
	}
	if err != nil {
		d.Log.LogAttrs(ctx, slog.LevelWarn, "a CI run could not be read", slog.String("run", string(r.ID)), slog.String("error", err.Error()))
		return false, run.Reason{}
	}
	if seen.Status == vcshost.CIActive {
		return false, run.Reason{}
	}
	url := seen.URL
	if url == "" {
		url = r.URL
	}
	return true, run.ReasonOfJob(seen.Conclusion, url)
}
