// Package dispatch asks the hosts to start the CI jobs of runs, and ends the runs whose
// jobs do not do their work. Its invariants:
//
//   - The host is asked once for a run. An attempt is recorded before the request, and
//     its outcome after it. If the outcome is lost, the host is not asked again: the
//     runner of a job that was started asks for its work, or the run ends after a
//     time. The host is asked again only if it is certain that it started nothing.
//   - A run that cannot be started ends with a reason that says what a person does.
//   - What the host says about a CI run ends a run only if the run has not changed
//     since the host was asked.
package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Host is what this package needs of the client of an installation. githubhost and
// gitlabhost document the methods.
type Host interface {
	StartCI(ctx context.Context, r vcs.Description, start vcshost.CIStart) (vcshost.CIRun, error)
	CIProgress(ctx context.Context, r vcs.Description, id string) (vcshost.CIProgress, error)
	CancelCI(ctx context.Context, r vcs.Description, id string) error
}

// Opener returns the opener of such clients.
func Opener(h *hostclient.Hosts) hostclient.Opener[Host] {
	return hostclient.For(h, func(i *githubhost.Installation) Host { return i }, func(i *gitlabhost.Installation) Host { return i })
}

// Plans are the stored plans of runs. planstore.Store has the methods.
type Plans interface {
	// RemoveUsed removes the plans that an apply has used. It is safe to repeat.
	RemoveUsed(ctx context.Context, apply run.ID) error
	// Remove removes all plans that a run has made. It is safe to repeat.
	Remove(ctx context.Context, plan run.ID) error
}

// Folder folds in runs that have ended. fold.Folder has the method.
type Folder interface {
	// Run folds in what a run that has ended did. It is safe to repeat.
	Run(context.Context, run.Run) error
}

// Asker takes requests for evaluations. lane.Store has the method.
type Asker interface {
	// Ask stores a request. now is the time of this server. It is safe to repeat.
	Ask(ctx context.Context, r lane.Request, now time.Time) error
}

// Dispatcher starts and ends runs. It is safe for concurrent use, also by several
// processes.
type Dispatcher struct {
	Runs  runstore.Store
	Plans Plans
	Fold  Folder
	// Lanes takes the request to evaluate the end of a run.
	Lanes Asker
	Open  hostclient.Opener[Host]
	// WorkToken returns the work token of a run: what its CI job shows to get the work.
	// worktoken.Tokens has such a method.
	WorkToken func(context.Context, run.ID) (string, error)
	// PublicBaseURL is the address at which runners reach this server, without a slash
	// at its end. If it is empty, no run can be started.
	PublicBaseURL string
	// Unfinished removes what other packages keep of a run whose creation was not
	// finished. It may be nil.
	Unfinished runstore.Before
	Log        *slog.Logger
	Now        func() time.Time
	// Request is the id of the invocation. The changes of runs carry it.
	Request string
	Tally   *Tally

	away *away
	// oneByOne makes a sweep do one thing after the other, for tests that repeat an order
	// of requests.
	oneByOne bool
}

// Principal is who changes runs here, as in the audit trail.
const Principal = "server:dispatcher"

const (
	// lease is how long a claim lasts. It is longer than an invocation, so the holder
	// of a claim that has ended is dead.
	lease = 2 * time.Minute
	// callTime is the maximum time of one request to a host.
	callTime = 20 * time.Second
	// startTime is the time that must be left for a run to be claimed: the request to
	// the host and some writes.
	startTime = callTime + 5*time.Second
)

// Begin returns the dispatcher of one invocation. request is the id of the invocation.
func (d Dispatcher) Begin(request string) Dispatcher {
	d.Request, d.Tally, d.away = request, &Tally{}, &away{}
	return d
}

// author returns the author of a change that is made now.
func (d Dispatcher) author() change.Author {
	return change.Author{Principal: Principal, Request: d.Request, At: d.Now()}
}

// Repository starts all runs of a repository that may be started now. It ends early,
// without an error, if the context's deadline is near: what is left is found by the
// schedule.
func (d Dispatcher) Repository(ctx context.Context, r vcs.Repository) error {
	for !near(ctx) && !d.away.has(r.Installation) {
		claimed, ok, err := d.Runs.Claim(ctx, r, lease, d.author())
		if err != nil || !ok {
			return err
		}
		if err := d.start(ctx, claimed); err != nil {
			return err
		}
	}
	return nil
}

// near reports whether the context ends before another run could be started.
func near(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(end) < startTime
}

// start asks the host to start the CI job of a claimed run, and records the outcome.
func (d Dispatcher) start(ctx context.Context, r run.Run) error {
	if r.Dispatch.Unknown() {
		return d.doubt(ctx, r, "the worker of this server that asked the host ended before it had the response")
	}
	in, reason := d.request(r)
	if reason != nil {
		return d.abort(ctx, r, *reason)
	}
	var err error
	if in.WorkToken, err = d.WorkToken(ctx, r.ID); err != nil {
		return err // the claim ends, and somebody else takes the run
	}
	client, err := d.Open(ctx, r.Repository.Installation)
	switch {
	case err != nil && vcshost.NothingDone(err):
		return d.refused(ctx, r, err)
	case err != nil:
		return err // the storage has failed: the claim ends, and somebody else takes the run
	}
	r, err = d.Runs.Asking(ctx, r, d.author())
	if errors.Is(err, runstore.ErrLost) || err == nil && r.State != run.Queued {
		return nil // somebody has ended it
	}
	if err != nil {
		return err
	}
	started, err := d.call(ctx, client, r, in)
	switch {
	case err == nil:
		return d.accepted(ctx, r, started)
	case vcshost.NothingDone(err):
		return d.refused(ctx, r, err)
	}
	d.Log.LogAttrs(ctx, slog.LevelWarn, "the response of a host was lost", slog.String("run", string(r.ID)), slog.String("error", err.Error()))
	return d.doubt(ctx, r, "its response was lost")
}

func (d Dispatcher) call(ctx context.Context, client Host, r run.Run, in vcshost.CIStart) (vcshost.CIRun, error) {
	own, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	started, err := client.StartCI(own, described(r), in)
	if !vcshost.NothingDone(err) {
		d.noticed(r.Repository.Installation, err)
	}
	return started, err
}

// accepted records what the host has started. If the run has ended meanwhile, it
// cancels the CI run.
func (d Dispatcher) accepted(ctx context.Context, r run.Run, started vcshost.CIRun) error {
	id := started.ID
	if id != "" && r.Repository.Installation.VCS == vcs.GitLab {
		id = run.PipelineID(id)
	}
	found, err := d.Runs.Dispatched(ctx, r, runstore.HostRun{ID: id, URL: started.URL}, d.author())
	switch {
	case errors.Is(err, runstore.ErrLost) && found.State == run.Aborted && started.ID != "":
		d.cancel(ctx, r, started.ID) // once: its runner gets no work in any case
		return nil
	case errors.Is(err, runstore.ErrLost):
		return nil
	case err != nil:
		return err
	}
	d.Tally.Started.Add(1)
	return nil
}

// doubt records that the host may have started the CI job. The other runs of the
// repository wait for a moment: the host may lose more responses.
func (d Dispatcher) doubt(ctx context.Context, r run.Run, why string) error {
	_, err := d.Runs.Dispatched(ctx, r, runstore.HostRun{Doubt: why}, d.author())
	if errors.Is(err, runstore.ErrLost) {
		return nil
	}
	d.Tally.Unknown.Add(1)
	return err
}

// abort ends a run that cannot be started.
func (d Dispatcher) abort(ctx context.Context, r run.Run, reason run.Reason) error {
	_, ended, err := d.Runs.Abort(ctx, r.ID, runstore.Abortion{Reason: reason, OnlyQueued: true}, d.author())
	if ended {
		d.Tally.Refused.Add(1)
	}
	return harmless(err)
}

// described returns how the host's clients name the run's repository.
func described(r run.Run) vcs.Description {
	return vcs.Description{ID: r.Repository.ID, Owner: r.Owner, Name: r.Name}
}
