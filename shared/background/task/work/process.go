// Package work is the frame of functions that work at tasks. The table's stream or
// a schedule wakes such a function, and it works at each task for one turn.
// The invariants of the package: progress is stored after each step, so that a
// worker may be killed at any point; a task that makes no progress ends, with the
// reason; and no task holds up another.
package work

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Step does a part of a task, and stores in the run how far the task is. A step may
// be done more than once. It reports whether that was the last part.
type Step func(context.Context, *task.Run, change.Author) (done bool, err error)

// Limits of a task.
const (
	// MaxTries is how often a task is tried without progress.
	MaxTries = 8
	// MaxAge is how long a task may wait for its host without progress. It is
	// checked after a try, so that no task fails without a try.
	MaxAge = 24 * time.Hour
	// giveBack is the maximum time for giving a task back when the invocation's
	// time is over.
	giveBack = 5 * time.Second
	// ShortWait is the total time that a worker waits in a turn for hosts that
	// limit requests for a short time. If the wait is longer, the task is given
	// back. The schedule, which runs once a minute, begins it again.
	ShortWait = 15 * time.Second
)

// ErrTired says that a task is not tried again: the workers that began it were
// killed, and so reported no error.
var ErrTired = errors.New("its workers were killed")

// Later is the error of a step that has done nothing yet, because the task has to
// wait until a time. It is not a failure.
type Later struct {
	// Until is the time at which the task is begun again.
	Until time.Time
}

// Error implements error.
func (l *Later) Error() string { return "the task waits until " + l.Until.UTC().Format(time.RFC3339) }

// process works at one task for one turn. It returns an error if the task
// could not be begun or given back. Then the task is due again after its lease.
func (w *Worker) process(ctx context.Context, tally *tally, id string) error {
	run, err := w.Tasks.Begin(ctx, id, w.Now())
	switch {
	case errors.Is(err, task.ErrNotDue):
		return nil
	case errors.Is(err, task.ErrUnreadable):
		return w.bury(ctx, tally, id, err)
	case err != nil:
		return err
	}
	done, err := false, ErrTired
	if run.Tries <= MaxTries {
		done, err = w.work(ctx, run)
	}
	var later *Later
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBack)
	defer cancel()
	switch {
	case errors.Is(err, task.ErrLost):
		return nil
	case done:
		err = w.Tasks.End(after, run, task.Completed, w.remark(run), w.Now())
	case err == nil, ctx.Err() != nil && run.Tries == 0: // the time is over, but the task made progress
		err = w.Tasks.Wait(after, run, w.Now(), "")
	case errors.As(err, &later):
		run.Tries = 0
		err = w.Tasks.Wait(after, run, later.Until, "")
	default:
		err = w.stumble(after, run, err)
	}
	switch run.State {
	case task.Completed:
		tally.Completed++
	case task.Failed:
		tally.Failed++
	default:
		tally.Waiting++
	}
	if errors.Is(err, task.ErrLost) {
		return nil // another worker has the task and decides its outcome
	}
	return err
}

// work does steps until the task is done or its turn is over. It stores
// the progress after each step.
func (w *Worker) work(ctx context.Context, run *task.Run) (done bool, err error) {
	defer frame.Guard(&err)
	step, ok := w.Steps[run.Kind]
	if !ok {
		return false, fmt.Errorf("a task of kind %q is unknown", run.Kind)
	}
	patience := ShortWait
	for end := w.Now().Add(w.Turn); ; {
		done, err = step(ctx, run, run.Author(telemetry.Invocation(ctx), w.Now()))
		if err != nil && waited(ctx, err, &patience) {
			continue
		}
		if err != nil {
			return false, err
		}
		run.MovedAt = w.Now()
		if err := w.Tasks.Save(ctx, run); err != nil {
			return false, err
		}
		if done || ctx.Err() != nil || !w.Now().Before(end) {
			return done, nil
		}
	}
}

// waited waits for a host that limits requests for a short time, if patience and
// the deadline allow the wait. It reports whether the host may be asked again.
func waited(ctx context.Context, problem error, patience *time.Duration) bool {
	var limited *vcshost.Limited
	if !errors.As(problem, &limited) {
		return false
	}
	// The wait is random, so that what waits for one host does not come back at the
	// same time.
	wait := limited.RetryAfter + rand.N(limited.RetryAfter/2)
	if end, ok := ctx.Deadline(); wait > *patience || ok && time.Until(end) < wait {
		return false
	}
	*patience -= wait
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}

// stumble decides what happens to a task whose step failed.
func (w *Worker) stumble(ctx context.Context, run *task.Run, problem error) error {
	words, forGood := w.Explain(run, problem)
	var limited *vcshost.Limited
	var err error
	now := w.Now()
	next, again := backoff.Next(run.Tries, now)
	switch {
	case forGood, !again, now.Sub(run.MovedAt) > MaxAge:
		err = w.Tasks.End(ctx, run, task.Failed, words, now)
	case errors.As(problem, &limited):
		// A limit of the host is not a failure. The wait is random, so that what
		// waits for one host does not come back at the same time.
		run.Tries = 0
		err = w.Tasks.Wait(ctx, run, now.Add(limited.RetryAfter+rand.N(10*time.Second)), words)
	default:
		err = w.Tasks.Wait(ctx, run, next, words)
	}
	w.Log.LogAttrs(ctx, slog.LevelError, "task stumbled", slog.String("task", run.ID), slog.String("kind", string(run.Kind)),
		slog.String("vcs", string(run.Installation.VCS)), slog.String("installation", string(run.Installation.ID)), slog.Int("tries", run.Tries),
		slog.Bool("failed", run.State == task.Failed), slog.String("error", problem.Error()))
	return err
}

// bury ends a task that cannot be read, so that it does not hold up the others.
func (w *Worker) bury(ctx context.Context, tally *tally, id string, problem error) error {
	tally.Failed++
	tally.Unreadable++
	w.Log.LogAttrs(ctx, slog.LevelError, "task unreadable", slog.String("task", id), slog.String("error", problem.Error()))
	return w.Tasks.Bury(ctx, w.Queue, id, "what was stored of the task cannot be read: start it again", w.Now())
}

// backoff is how long a task waits before it is tried again.
var backoff = queue.Backoff{First: 5 * time.Second, Most: 1280 * time.Second, Tries: MaxTries}

func (w *Worker) remark(run *task.Run) string {
	if w.Remark == nil {
		return ""
	}
	return w.Remark(run)
}
