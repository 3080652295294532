package dispatch

import (
	"context"
	"errors"
	"log/slog"

	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// sweepEnded does what follows the end of a run that the stream did not show. The end
// may let other runs of the repository start, as it does in the stream.
func (d Dispatcher) sweepEnded(ctx context.Context, entry runstore.Due) error {
	r, stale, err := d.Runs.Stale(ctx, entry)
	if err != nil || stale {
		return err
	}
	return errors.Join(d.Repository(ctx, r.Repository), d.Ended(ctx, r, entry))
}

// Ended does what follows the end of a run: it folds in what the run did, asks for an
// evaluation of the end, cancels the CI job of a run that was aborted, and removes the
// plans that an apply has used. The evaluation comes first, because others wait for what
// the run has locked. entry is the run's entry of runstore.EndedList, which goes last. It
// is safe to repeat.
func (d Dispatcher) Ended(ctx context.Context, r run.Run, entry runstore.Due) error {
	if entry.IsZero() {
		return nil
	}
	err := d.Fold.Run(ctx, r)
	if err == nil && r.Reason.Code != run.RepositoryRemoved { // of a repository that goes, nothing is evaluated
		err = d.Lanes.Ask(ctx, ended(r), d.Now())
	}
	again := false
	if id := r.HostID(); id != "" && cancels(r) {
		again = d.cancel(ctx, r, id) && d.Now().Sub(r.EndedAt) < cancelFor
	}
	if r.Type.IsApply() && !r.StartedAt.IsZero() { // otherwise its plans can still be applied
		err = errors.Join(err, d.Plans.RemoveUsed(ctx, r.ID))
	}
	if err != nil || again {
		return err // the schedule finds the entry again
	}
	return d.Runs.Done(ctx, entry)
}

// ended returns the request to evaluate the end of a run.
func ended(r run.Run) lane.Request {
	return lane.Request{Kind: lane.Ended, Repository: r.Repository, Number: r.Kind.Number, Run: r.ID, At: r.EndedAt}
}

// cancels reports whether the CI job of a run is to be cancelled. An apply that is
// under way is cancelled only if a person asked for that: its state may stay locked
// (orchestration, 28). A job that the host has ended needs no request.
func cancels(r run.Run) bool {
	if r.State != run.Aborted {
		return false
	}
	switch r.Reason.Code {
	case run.ByPerson, run.Unlocked:
		return true
	case run.Superseded, run.BranchMoved, run.PullRequestClosed, run.NeverStarted, run.NeverReported, run.RepositoryRemoved:
		return !r.Type.IsApply() || r.StartedAt.IsZero()
	default:
		return false
	}
}

// cancel asks the host to cancel a CI run. It reports whether another try may help.
func (d Dispatcher) cancel(ctx context.Context, r run.Run, id string) (again bool) {
	err := d.ask(ctx, r, func(ctx context.Context, client Host) error { return client.CancelCI(ctx, described(r), id) })
	if err == nil {
		d.Tally.Cancelled.Add(1)
		return false
	}
	d.Log.LogAttrs(ctx, slog.LevelWarn, "a CI run could not be cancelled", slog.String("run", string(r.ID)), slog.String("error", err.Error()))
	problem, known := vcshost.Explain(r.Repository.Installation.VCS, err)
	return !known || !problem.Permanent
}
