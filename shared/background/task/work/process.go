// Package work is the frame of functions that work at tasks: the table's stream
// or a schedule wakes them, and they work at each task for a slice of time. Its
// invariants: what was done of a task is noted behind each step, so that a worker
// may be killed anywhere; a task that makes no progress ends, with the reason; and
// none holds up another.
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

// Step does a part of a task that may be done again, and notes in the run where
// the task then stands. It reports whether that was the last part.
type Step func(context.Context, *task.Run, change.Author) (done bool, err error)

// Bounds of a task.
const (
	// MaxTries is how often a task is tried that makes no progress.
	MaxTries = 8
	// MaxAge is how long a task may wait for its host without making progress. It
	// is judged behind a try, so that none fails because nobody tried.
	MaxAge = 24 * time.Hour
	// giveBack is how long it may take to give a task back when time is over.
	giveBack = 5 * time.Second
	// ShortWait is how long a worker waits in all, in a slice, for hosts that allow
	// no more requests for a moment. For longer a task is given back, to be taken up
	// by the schedule, which comes once a minute.
	ShortWait = 15 * time.Second
)

// ErrTired says that a task is not to be tried once more: the workers that took
// it up were killed, and so said nothing.
var ErrTired = errors.New("its workers were killed")

// Later is the error of a step before which a task has to wait for a time, and
// which has done nothing yet. That is no failure.
type Later struct {
	// Until is when the task is taken up again.
	Until time.Time
}

// Error implements error.
func (l *Later) Error() string { return "the task waits until " + l.Until.UTC().Format(time.RFC3339) }

// process works at one task for a slice of time. Its error is that the task
// could not be taken up or given back: then it is due again after its lease.
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
	case err == nil, ctx.Err() != nil && run.Tries == 0: // time is over, but was not in vain
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
		return nil // another worker has it, and says what becomes of it
	}
	return err
}

// work does steps until the task is done or its slice of time is over. What was
// done of it is noted behind each.
func (w *Worker) work(ctx context.Context, run *task.Run) (done bool, err error) {
	defer frame.Guard(&err)
	step, ok := w.Steps[run.Kind]
	if !ok {
		return false, fmt.Errorf("a task of kind %q is unknown", run.Kind)
	}
	patience := ShortWait
	for end := w.Now().Add(w.Slice); ; {
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

// waited waits for a host that allows no more requests for a moment, if patience
// and time are long enough for it, and reports whether the host may be asked again.
func waited(ctx context.Context, problem error, patience *time.Duration) bool {
	var limited *vcshost.Limited
	if !errors.As(problem, &limited) {
		return false
	}
	// Drawn, so that what waits for one host does not come back together.
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

// stumble decides what becomes of a task whose step failed.
func (w *Worker) stumble(ctx context.Context, run *task.Run, problem error) error {
	words, forGood := w.Explain(run, problem)
	var limited *vcshost.Limited
	var err error
	switch now := w.Now(); {
	case forGood, run.Tries >= MaxTries, now.Sub(run.MovedAt) > MaxAge:
		err = w.Tasks.End(ctx, run, task.Failed, words, now)
	case errors.As(problem, &limited):
		// Patience is no failure. Drawn, so that what waits for one host does not come back together.
		run.Tries = 0
		err = w.Tasks.Wait(ctx, run, now.Add(limited.RetryAfter+rand.N(10*time.Second)), words)
	default:
		err = w.Tasks.Wait(ctx, run, now.Add(backoff.Pause(run.Tries)), words)
	}
	w.Log.LogAttrs(ctx, slog.LevelError, "task stumbled", slog.String("task", run.ID), slog.String("kind", string(run.Kind)),
		slog.String("vcs", run.VCS), slog.String("installation", run.Installation), slog.Int("tries", run.Tries),
		slog.Bool("failed", run.State == task.Failed), slog.String("error", problem.Error()))
	return err
}

// bury ends a task that cannot be read, so that it holds up no other.
func (w *Worker) bury(ctx context.Context, tally *tally, id string, problem error) error {
	tally.Failed++
	tally.Unreadable++
	w.Log.LogAttrs(ctx, slog.LevelError, "task unreadable", slog.String("task", id), slog.String("error", problem.Error()))
	return w.Tasks.Bury(ctx, w.Queue, id, "what was stored of the task cannot be read: start it again", w.Now())
}

// backoff is how long a task waits before it is tried again.
var backoff = queue.Backoff{First: 5 * time.Second, Most: 1280 * time.Second}

func (w *Worker) remark(run *task.Run) string {
	if w.Remark == nil {
		return ""
	}
	return w.Remark(run)
}
