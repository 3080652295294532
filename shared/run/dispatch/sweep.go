package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

const (
	// maxDue is how many entries of a list one sweep works at. maxParallel is how many of
	// a list it works at at the same time.
	maxDue      = 1000
	maxParallel = 4
	// startLook is the time between two looks at a CI run whose runner has not asked
	// for its work.
	startLook = 2 * time.Minute
	// blockedLook is the time between two looks of the schedule at a run that waits for
	// others. The end of the others wakes the dispatcher too.
	blockedLook = 10 * time.Minute
	// cancelFor is how long it is tried to cancel the CI job of an aborted run.
	cancelFor = time.Hour
)

// Sweep does what is due: it starts runs that wait, does what follows the end of runs,
// ends runs whose CI job does not do its work, and removes creations that were not
// finished and plans of closed pull requests. A failure does not stop the others. Several
// entries are worked at at the same time, and an installation whose host does not work now
// is left for the next sweep. So a slow host does not keep other installations
// waiting.
func (d Dispatcher) Sweep(ctx context.Context) error {
	if d.away == nil {
		d.away = &away{}
	}
	parts := []struct {
		list runstore.List
		do   func(context.Context, runstore.Due) error
	}{
		{runstore.DispatchList, d.sweepWaiting()},
		{runstore.EndedList, d.sweepEnded},
		{runstore.StartList, d.sweepStarted},
		{runstore.ReportList, d.sweepRunning},
		{runstore.CreatingList, d.sweepCreating},
	}
	failures := make([]error, len(parts)+1)
	d.each(len(failures), len(failures), func(i int) {
		if i == len(parts) {
			failures[i] = d.sweepClosed(ctx)
			return
		}
		failures[i] = d.sweepList(ctx, parts[i].list, parts[i].do)
	})
	return errors.Join(failures...)
}

// each calls a function for the numbers below n, most of them at the same time.
func (d Dispatcher) each(n, most int, do func(int)) {
	if d.oneByOne {
		most = 1
	}
	places := make(chan struct{}, most)
	var all sync.WaitGroup
	for i := range n {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			do(i)
		})
	}
	all.Wait()
}

// sweepList works at the entries of a list that are due, several at a time.
func (d Dispatcher) sweepList(ctx context.Context, list runstore.List, do func(context.Context, runstore.Due) error) error {
	due, err := d.Runs.Due(ctx, list, d.Now(), maxDue)
	failures := make([]error, len(due))
	d.each(len(due), maxParallel, func(i int) {
		if failures[i] = ctx.Err(); failures[i] == nil {
			failures[i] = guarded(ctx, due[i], do)
		}
	})
	return errors.Join(append(failures, err)...)
}

// guarded does a piece of work whose panic must not stop the others.
func guarded(ctx context.Context, entry runstore.Due, do func(context.Context, runstore.Due) error) (err error) {
	defer frame.Guard(&err)
	return do(ctx, entry)
}

// sweepWaiting returns the work at a queued run that waits: the runs of its repository are
// started, once for all entries. A run that still waits afterwards is due again later.
func (d Dispatcher) sweepWaiting() func(context.Context, runstore.Due) error {
	var mu sync.Mutex
	started := map[vcs.Repository]func() error{}
	return func(ctx context.Context, entry runstore.Due) error {
		waiting, stale, err := d.Runs.Stale(ctx, entry)
		if err != nil || stale || near(ctx) {
			return err
		}
		mu.Lock()
		start := started[waiting.Repository]
		if start == nil {
			start = sync.OnceValue(func() error { return d.Repository(ctx, waiting.Repository) })
			started[waiting.Repository] = start
		}
		mu.Unlock()
		if err := start(); err != nil {
			return err
		}
		waiting, stale, err = d.Runs.Stale(ctx, entry)
		if err != nil || stale || near(ctx) {
			return err
		}
		return harmless(d.Runs.Postpone(ctx, waiting, d.Now().Add(blockedLook), d.author()))
	}
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
	var seen vcshost.CIProgress
	err := d.ask(ctx, r, func(ctx context.Context, client Host) (err error) {
		seen, err = client.CIProgress(ctx, described(r), id)
		return err
	})
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
