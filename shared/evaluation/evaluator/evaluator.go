// Package evaluator decides what follows from events of pull requests, from the end of
// runs and from schedules, and does it: it starts and aborts runs, sets statuses, writes
// comments and merges. Its invariants:
//
//   - A decision follows from what was read, and is stored before anything is done. What
//     it does is done from the stored form, so a crash anywhere loses nothing.
//   - What is not safe to repeat is said once: a comment is looked for by its marker before
//     it is written again.
//   - Runs never wait for what the host limits: runs are started and aborted first.
//   - An apply that was decided is admitted again when its run is created (admission).
package evaluator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/run/starting"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Evaluator evaluates the lanes of repositories. It is safe for concurrent use, also by
// several processes: a lane has one holder.
type Evaluator struct {
	Lanes    lane.Store
	Runs     runstore.Store
	Standing standing.Store
	Plans    planstore.Store
	Outputs  *output.Store
	Sets     changeset.Store
	Source   source.Source
	Start    starting.Starter
	Open     hostclient.Opener[Host]
	// PublicBaseURL is the address of this server, without a slash at its end.
	PublicBaseURL string
	Log           *slog.Logger
	Now           func() time.Time
	// Request is the id of the invocation. The changes of runs carry it.
	Request string
}

// Principal is who changes runs here where no person is behind it, as in the audit trail.
const Principal = "server:orchestrator"

// url returns the page of a run.
func (e *Evaluator) url(of vcs.Repository, id run.ID) string {
	return (&outcome{of: of, base: e.PublicBaseURL}).url(id)
}

// Lane evaluates what is asked for in a lane, and makes the effects. It ends early,
// without an error, if the context's deadline is near or the lane must rest: the schedule
// finds what is left.
//
// Runs of a decision are started and ended before the next request is evaluated, so each
// decision knows those before it.
func (e *Evaluator) Lane(ctx context.Context, held *lane.Held) error {
	at := &hands{}
	if err := e.resume(ctx, held, at); err != nil {
		return err
	}
	err := e.requests(ctx, held, at)
	if errors.Is(err, lane.ErrLost) || errors.Is(err, errStuck) {
		return err
	}
	return errors.Join(err, e.contents(ctx, held, at))
}

// errStuck says that the runs of a decision could not all be started and ended. Nothing
// else of the lane is decided before that is done.
var errStuck = errors.New("a decision is not carried out yet")

// evaluationTime is the time that must be left for an evaluation to be begun.
const evaluationTime = 20 * time.Second

// near reports whether the context ends before an evaluation could be made.
func near(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(end) < evaluationTime
}

// requests evaluates the requests of a lane in their order. If one fails, those of other
// pull requests go on.
func (e *Evaluator) requests(ctx context.Context, held *lane.Held, at *hands) error {
	var problems []error
	failed := map[string]bool{}
	for range maxRounds {
		list, err := held.Requests(ctx)
		if err != nil {
			problems = append(problems, err)
		}
		list = slices.DeleteFunc(list, func(p lane.Pending) bool { return failed[p.Name()] })
		if len(list) == 0 {
			break
		}
		for _, p := range list {
			if near(ctx) {
				return errors.Join(problems...)
			}
			if failed[p.Name()] {
				continue
			}
			err := e.evaluate(ctx, held, at, p)
			var limited *vcshost.Limited
			switch {
			case errors.Is(err, lane.ErrLost), errors.Is(err, errStuck):
				return errors.Join(append(problems, err)...)
			case errors.Is(err, lane.ErrChanged), err == nil:
			case errors.As(err, &limited):
				problems = append(problems, held.Postpone(ctx, e.Now().Add(limited.RetryAfter)))
				return errors.Join(problems...)
			default:
				failed[p.Name()] = true
				problems = append(problems, fmt.Errorf("evaluate %s of %s: %w", p.Name(), p.Repository, err))
			}
		}
	}
	return errors.Join(problems...)
}

// maxRounds bounds how often the requests of a lane are read in one invocation. The
// schedule goes on.
const maxRounds = 20

// After how many failed evaluations a request is given up.
const (
	// giveUpGone is for what the host does not have any more.
	giveUpGone = 3
	// giveUp is for what fails for another reason, after some hours.
	giveUp = 20
	// giveUpAfter is for a host that refuses the installation: somebody may store another
	// token.
	giveUpAfter = 3 * 24 * time.Hour
)

// hopeless reports whether an evaluation that failed is given up.
func hopeless(p lane.Pending, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, vcshost.ErrGone), errors.Is(err, vcshost.ErrNoInstallation):
		return p.Failed >= giveUpGone
	case vcshost.ConcernsInstallation(err):
		return p.Failed >= giveUp && time.Duration(p.Failed)*maxBackoff > giveUpAfter
	}
	return p.Failed >= giveUp
}

// maxBackoff is the longest pause between two evaluations of the schedule (package lane).
const maxBackoff = 15 * time.Minute

// abandon returns what is done about a request that is given up: who wrote a command is
// told, and schedules for drift are looked at later.
func (e *Evaluator) abandon(ctx context.Context, p lane.Pending, was *outcome) (*outcome, error) {
	o := &outcome{id: was.id, of: was.of, number: was.number, base: was.base, now: was.now, pull: &pull{}}
	switch p.Kind {
	case lane.Command:
		o.say(texts.GivenUp())
	case lane.Drift, lane.Push:
		w, row, err := e.watching(ctx, o)
		if err != nil || len(w.Schedules) == 0 {
			return o, err
		}
		before := w.Check
		w.Check = o.now.Add(seldom)
		o.writes = append(o.writes, e.Lanes.WriteCheck(o.of, before, w.Check)...)
		return o, e.writeWatch(o, w, row)
	}
	return o, nil
}

// evaluate evaluates a request, stores the decision, and starts and ends its runs.
func (e *Evaluator) evaluate(ctx context.Context, held *lane.Held, at *hands, p lane.Pending) (err error) {
	defer frame.Guard(&err)
	number := p.Number
	if p.Kind == lane.Ended && number == 0 {
		if number, err = e.numberOf(ctx, p.Run); err != nil {
			return err
		}
	}
	o := &outcome{id: decisionName(p), of: held.Repository(), number: number, base: e.PublicBaseURL, now: e.Now(), pull: &pull{}}
	row, err := e.remembered(ctx, o)
	if err != nil {
		return err
	}
	o.known = row.Version > 0
	switch p.Kind {
	case lane.Pull:
		err = e.changed(ctx, p.Request, o)
	case lane.Command:
		err = e.commanded(ctx, p.Request, o)
	case lane.Ended:
		err = e.ended(ctx, p.Request, o)
	case lane.Push, lane.Drift:
		err = e.schedules(ctx, p.Request, o)
	default:
		err = fmt.Errorf("a request has the unknown kind %q", p.Kind)
	}
	if hopeless(p, err) {
		e.Log.LogAttrs(ctx, slog.LevelError, "an evaluation was given up", slog.String("repository", o.of.String()), slog.String("request", p.Name()), slog.String("error", err.Error()))
		if o, err = e.abandon(ctx, p, o); err != nil {
			return err
		}
		if row, err = e.remembered(ctx, o); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	d, err := e.store(ctx, held, p, o, row)
	if err != nil {
		return err
	}
	if err := e.make(ctx, held, &d, at, false); err != nil {
		return fmt.Errorf("%w: %w", errStuck, err)
	}
	return nil
}

// decisionName returns what the comments of a decision are found by.
func decisionName(p lane.Pending) string {
	return fmt.Sprintf("%s-%d", p.Name(), p.Since.UnixMilli())
}

// numberOf returns the pull request of a run; 0 if it has none.
func (e *Evaluator) numberOf(ctx context.Context, id run.ID) (int64, error) {
	r, err := e.Runs.Get(ctx, id)
	return r.Kind.Number, harmless(err)
}

// remembered reads what is remembered of the pull request.
func (e *Evaluator) remembered(ctx context.Context, o *outcome) (lane.Row, error) {
	if o.number == 0 {
		return lane.Row{}, nil
	}
	row, err := e.Lanes.Pull(ctx, o.of.PullRequest(o.number))
	if err != nil || len(row.Body) == 0 {
		return row, err
	}
	if err := json.Unmarshal(row.Body, o.pull); err != nil {
		return row, fmt.Errorf("decode what is remembered of pull request %d of %s: %w", o.number, o.of, err)
	}
	return row, nil
}

// store stores a decision with all that belongs to it.
func (e *Evaluator) store(ctx context.Context, held *lane.Held, p lane.Pending, o *outcome, row lane.Row) (lane.Decision, error) {
	writes := o.writes
	if o.number > 0 {
		var err error
		if writes, err = e.writeWaiting(writes, o); err != nil {
			return lane.Decision{}, err
		}
		write, err := e.writePull(o.of.PullRequest(o.number), o.pull, row)
		if err != nil {
			return lane.Decision{}, err
		}
		writes = append(writes, write)
		if writes, err = e.writeOwner(writes, o); err != nil {
			return lane.Decision{}, err
		}
	}
	d, err := o.decision()
	if err != nil {
		return lane.Decision{}, err
	}
	return held.Decide(ctx, p, d, writes...)
}

// keepPull is how long what is remembered of a pull request stays after its last event.
const keepPull = 180 * 24 * time.Hour

func (e *Evaluator) writePull(of vcs.PullRequest, p *pull, row lane.Row) (table.Write, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return table.Write{}, fmt.Errorf("encode what is remembered of %s: %w", of, err)
	}
	row.Body, row.ExpiresAt = text, e.Now().Add(keepPull)
	return e.Lanes.WritePull(of, row)
}

// writeOwner adds the write of the row by which the pull request may hold locks.
func (e *Evaluator) writeOwner(writes []table.Write, o *outcome) ([]table.Write, error) {
	of := o.of.PullRequest(o.number)
	switch {
	case o.owner == nil:
		return writes, nil
	case len(o.owner.Set) == 0:
		return append(writes, e.Lanes.WriteRemoval(lane.Locks, of)), nil
	}
	text, err := json.Marshal(o.owner)
	if err != nil {
		return nil, fmt.Errorf("encode what %s may lock: %w", of, err)
	}
	since := o.now
	if !o.owner.Since.IsZero() {
		since = o.owner.Since
	}
	write, err := e.Lanes.WriteEntry(lane.Locks, lane.Entry{PullRequest: of, Since: since, Body: text})
	return append(writes, write), err
}

// changeSet adds the write of the change set, from which the API shows stacks.
func (o *outcome) changeSet(ctx context.Context, s *scene) error {
	if !s.ready || s.loaded.Set == nil {
		return nil
	}
	set := setOf(s)
	set.At = o.now
	write, err := s.Sets.Write(ctx, set)
	if err != nil {
		return err
	}
	o.writes = append(o.writes, write)
	return nil
}

// author returns the author of a change that is made now.
func (e *Evaluator) author(principal, request string) change.Author {
	return change.Author{Principal: principal, Request: request, At: e.Now()}
}

// harmless returns nil for the error of a run that does not exist any more.
func harmless(err error) error {
	if errors.Is(err, fault.ErrNotFound) {
		return nil
	}
	return err
}
