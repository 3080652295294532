package evaluator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/starting"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// decision returns the decision in the form in which the lane keeps it. What the host
// limits comes last.
func (o *outcome) decision() (lane.Decision, error) {
	d := lane.Decision{At: o.now}
	list := slices.Clone(o.effects)
	slices.SortStableFunc(list, func(a, b effect) int { return a.Kind.rank() - b.Kind.rank() })
	first := 0
	for i, e := range list {
		if e.Kind == startsRun { // runs of one decision have one configuration, which may be large
			if first > 0 && bytes.Equal(e.Config, list[first-1].Config) {
				e.Config, e.Like = nil, first
			} else {
				first = i + 1
			}
		}
		text, err := json.Marshal(e)
		if err != nil {
			return d, fmt.Errorf("encode an effect: %w", err)
		}
		d.Effects = append(d.Effects, lane.Effect{Kind: string(e.Kind), Content: e.Kind.content(), Body: text})
	}
	return d, nil
}

// rank orders effects: what ends runs, what starts them, what the host limits.
func (k kind) rank() int {
	switch k {
	case abortsRun, unlocks:
		return 0
	case startsRun:
		return 1
	}
	return 3
}

// resume makes what is left of the effects that the host does not limit, of decisions
// whose worker died. A decision that cannot be read is reported by contents.
func (e *Evaluator) resume(ctx context.Context, held *lane.Held, at *hands) error {
	list, problem := held.Decisions(ctx)
	if errors.Is(problem, lane.ErrLost) {
		return problem
	}
	for i := range list {
		if err := e.make(ctx, held, &list[i], at, false); err != nil {
			return err
		}
	}
	return nil
}

// contents makes the effects that the host limits, in the order of the decisions.
func (e *Evaluator) contents(ctx context.Context, held *lane.Held, at *hands) error {
	list, problem := held.Decisions(ctx)
	for i := range list {
		if err := e.make(ctx, held, &list[i], at, true); err != nil {
			return errors.Join(problem, err)
		}
		if list[i].Parked.After(e.Now()) {
			break // later ones come after it
		}
	}
	return problem
}

// maxTries is how often an effect is tried.
const maxTries = 8

// Times of effects that fail for a reason outside the pull request.
const (
	// busyWait is the longest wait with which a host says that the thing itself is busy. It
	// counts as a try. Longer waits are limits of the host, which always end.
	busyWait = 10 * time.Second
	// installationPause is when an effect is tried again that failed because the token of
	// the installation is refused, or because there is none.
	installationPause = 10 * time.Minute
	// keepTrying is how long such an effect is tried.
	keepTrying = 3 * 24 * time.Hour
)

// later says when an effect is tried again that failed.
var later = queue.Backoff{First: 5 * time.Second, Most: 5 * time.Minute}

// make makes the effects of a decision. Without content, it ends before the first one
// that the host limits.
func (e *Evaluator) make(ctx context.Context, held *lane.Held, d *lane.Decision, at *hands, content bool) error {
	for !d.Finished() {
		next := d.Effects[d.Next]
		switch {
		case next.Content && !content || d.Parked.After(e.Now()):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		var made effect
		if err := json.Unmarshal(next.Body, &made); err != nil {
			return fmt.Errorf("decode an effect of %s: %w", held.Repository(), err)
		}
		more, err := e.do(ctx, held, d, at, made)
		if err != nil {
			if parked, err := e.failed(ctx, held, d, made, err); parked || err != nil {
				return err
			}
		}
		d.Next, d.Attempted, d.Tries = d.Next+1, false, 0
		if d.Finished() {
			return held.Finish(ctx, *d, more...)
		}
		following := d.Effects[d.Next]
		if len(more) == 0 && repeatable(next) && repeatable(following) && next.Content == following.Content {
			continue // a crash repeats it, which does no harm
		}
		if err := held.Progress(ctx, *d, more...); err != nil {
			return err
		}
	}
	return nil
}

// repeatable reports whether an effect may be made twice without a look at what the first
// time did.
func repeatable(e lane.Effect) bool {
	k := kind(e.Kind)
	return k != comments && k != edits && k != folds && k != unlocks
}

// failed handles an effect that failed. It reports whether the effect waits for another
// try; otherwise it is left out.
func (e *Evaluator) failed(ctx context.Context, held *lane.Held, d *lane.Decision, made effect, problem error) (parked bool, err error) {
	var limited *vcshost.Limited
	switch explained, known := vcshost.Explain(held.Repository().Installation.VCS, problem); {
	case errors.Is(problem, lane.ErrLost) || ctx.Err() != nil:
		return false, problem
	case errors.As(problem, &limited) && (limited.RetryAfter > busyWait || d.Tries < maxTries):
		d.Tries++
		*d, err = held.Park(ctx, *d, e.Now().Add(limited.RetryAfter))
		return true, err
	case !made.Kind.content():
		return false, problem // the storage: the schedule tries again
	case vcshost.ConcernsInstallation(problem) && e.Now().Sub(d.At) < keepTrying:
		*d, err = held.Park(ctx, *d, e.Now().Add(installationPause))
		return true, err
	case known && explained.Permanent, errors.Is(problem, vcshost.ErrGone), refused(problem), d.Tries >= maxTries:
		e.Log.LogAttrs(ctx, slog.LevelError, "an effect was left out", slog.String("repository", held.Repository().String()),
			slog.String("kind", string(made.Kind)), slog.String("error", problem.Error()))
		return false, nil
	}
	d.Tries++
	*d, err = held.Park(ctx, *d, e.Now().Add(later.Pause(d.Tries)))
	return true, err
}

// refused reports whether the host understood a request and will not do it.
func refused(err error) bool {
	var rejected *vcshost.Rejection
	return errors.As(err, &rejected) || errors.Is(err, vcshost.ErrForbidden) || errors.Is(err, vcshost.ErrNotMergeable)
}

// do makes an effect. It returns what is to be stored with the progress.
func (e *Evaluator) do(ctx context.Context, held *lane.Held, d *lane.Decision, at *hands, made effect) (more []table.Write, err error) {
	defer frame.Guard(&err)
	of := held.Repository()
	author := e.author(principalOf(of.Installation.VCS, d.Request.Sender), "decision:"+d.ID)
	switch made.Kind {
	case startsRun:
		return e.startRun(ctx, d, made)
	case abortsRun:
		_, _, err := e.Runs.Abort(ctx, made.Run, runstore.Abortion{Reason: *made.Reason, OnlyQueued: made.OnlyQueued}, author)
		if errors.Is(err, runstore.ErrLost) {
			err = nil
		}
		return nil, harmless(err)
	case unlocks:
		if _, err := e.Runs.Unlock(ctx, of, made.Origin, made.By, author); err != nil {
			return nil, err
		}
		if number, is := made.Origin.PullRequest(); is {
			return e.Lanes.WriteAsk(lane.Request{Kind: lane.Pull, Repository: of, Number: number, Sender: d.Request.Sender, SenderID: d.Request.SenderID, At: e.Now()}, e.Now())
		}
		return nil, nil
	}
	w := &writer{Evaluator: e, hands: at, of: of, number: made.Number, held: held, d: d}
	return w.atHost(ctx, made)
}

// startRun creates a run. If the rules do not admit it any more, its end is evaluated at
// once, and a comment says why.
func (e *Evaluator) startRun(ctx context.Context, d *lane.Decision, made effect) ([]table.Write, error) {
	spec := *made.Spec
	if _, err := e.Runs.Get(ctx, spec.ID); err == nil {
		return nil, nil // an earlier try created it
	} else if harmless(err) != nil {
		return nil, err
	}
	if spec.Type.IsApply() && e.Now().Sub(d.At) > applyWithin {
		return e.refuse(spec, "the apply could not be started in time: write the command again")
	}
	if made.Like > 0 {
		var first effect
		if err := json.Unmarshal(d.Effects[made.Like-1].Body, &first); err != nil {
			return nil, fmt.Errorf("decode an effect of %s: %w", spec.Repository, err)
		}
		made.Config = first.Config
	}
	_, err := e.Start.Start(ctx, starting.Order{
		Spec: spec, Rules: admission{e, *made.Subject, spec.Kind.Number, made.Plans}, Config: made.Config, Dirspaces: made.Dirspaces,
	}, e.author(spec.Principal, "run:"+string(spec.ID)))
	var refusal *fault.Error
	if !errors.As(err, &refusal) || refusal.Kind == fault.Busy {
		return nil, err
	}
	return e.refuse(spec, refusal.Error())
}

// applyWithin is how long after its decision an apply is started. Later, what was decided
// by may have changed: approvals, checks, the head.
const applyWithin = 2 * time.Minute

// refuse returns the writes that end a run which is not created. Its end is evaluated at
// once, and says why.
func (e *Evaluator) refuse(spec run.Spec, why string) ([]table.Write, error) {
	return e.Lanes.WriteAsk(lane.Request{Kind: lane.Ended, Repository: spec.Repository, Number: spec.Kind.Number, Run: spec.ID, At: e.Now(), Text: why}, e.Now())
}
