package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/githubhost"
	"github.com/opsplane/opsplane/shared/grouptoken"
	"github.com/opsplane/opsplane/shared/secret"
	"github.com/opsplane/opsplane/shared/task"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcshost"
)

// step does a part of a task that may be done again, and notes in the run where
// the task then stands. It reports whether that was the last part.
type step func(context.Context, *task.Run, change.Author) (done bool, err error)

// Bounds of a task.
const (
	// slice is how long a task is worked at before it is given back, so that
	// others have their turn.
	slice = 20 * time.Second
	// maxTries is how often a task is tried that makes no progress.
	maxTries = 8
	// maxAge is how long a task may wait for its host without making progress. It
	// is judged behind a try, so that none fails because nobody tried.
	maxAge = 24 * time.Hour
	// giveBack is how long it may take to give a task back when time is over.
	giveBack = 5 * time.Second
	// shortWait is how long a worker waits in all, in a slice, for hosts that allow
	// no more requests for a moment. For longer a task is given back, to be taken up
	// by the schedule, which comes once a minute.
	shortWait = 15 * time.Second
)

// errTired says that a task is not to be tried once more: the workers that took
// it up were killed, and so said nothing.
var errTired = errors.New("its workers were killed")

// process works at one task for a slice of time. Its error is that the task
// could not be taken up or given back: then it is due again after its lease.
func (j *jobs) process(ctx context.Context, tally *tally, id string) error {
	run, err := j.tasks.Begin(ctx, id, j.now())
	switch {
	case errors.Is(err, task.ErrNotDue):
		return nil
	case errors.Is(err, task.ErrUnreadable):
		return j.bury(ctx, tally, id, err)
	case err != nil:
		return err
	}
	done, err := false, errTired
	if run.Tries <= maxTries {
		done, err = j.work(ctx, run)
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBack)
	defer cancel()
	switch {
	case errors.Is(err, task.ErrLost):
		return nil
	case done:
		err = j.tasks.End(after, run, task.Completed, leftOut(run), j.now())
	case err == nil, ctx.Err() != nil && run.Tries == 0: // time is over, but was not in vain
		err = j.tasks.Wait(after, run, j.now(), "")
	default:
		err = j.stumble(after, run, err)
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
func (j *jobs) work(ctx context.Context, run *task.Run) (done bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	step, ok := j.steps[run.Kind]
	if !ok {
		return false, fmt.Errorf("a task of kind %q is unknown", run.Kind)
	}
	patience := shortWait
	for end := j.now().Add(slice); ; {
		done, err = step(ctx, run, run.Author(telemetry.Invocation(ctx), j.now()))
		if err != nil && waited(ctx, err, &patience) {
			continue
		}
		if err != nil {
			return false, err
		}
		run.MovedAt = j.now()
		if err := j.tasks.Save(ctx, run); err != nil {
			return false, err
		}
		if done || ctx.Err() != nil || !j.now().Before(end) {
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
func (j *jobs) stumble(ctx context.Context, run *task.Run, problem error) error {
	words, forGood := explain(run.VCS, problem)
	var limited *vcshost.Limited
	var err error
	switch now := j.now(); {
	case forGood, run.Tries >= maxTries, now.Sub(run.MovedAt) > maxAge:
		err = j.tasks.End(ctx, run, task.Failed, words, now)
	case errors.As(problem, &limited):
		// Patience is no failure. Drawn, so that what waits for one host does not come back together.
		run.Tries = 0
		err = j.tasks.Wait(ctx, run, now.Add(limited.RetryAfter+rand.N(10*time.Second)), words)
	default:
		err = j.tasks.Wait(ctx, run, now.Add(pause(run.Tries)), words)
	}
	j.log.LogAttrs(ctx, slog.LevelError, "task stumbled", slog.String("task", run.ID), slog.String("kind", string(run.Kind)),
		slog.String("vcs", run.VCS), slog.String("installation", run.Installation), slog.Int("tries", run.Tries),
		slog.Bool("failed", run.State == task.Failed), slog.String("error", problem.Error()))
	return err
}

// bury ends a task that cannot be read, so that it holds up no other.
func (j *jobs) bury(ctx context.Context, tally *tally, id string, problem error) error {
	tally.Failed++
	tally.Unreadable++
	j.log.LogAttrs(ctx, slog.LevelError, "task unreadable", slog.String("task", id), slog.String("error", problem.Error()))
	return j.tasks.Bury(ctx, id, "what was stored of the task cannot be read: start it again", j.now())
}

// pause before the try after the n-th: about five seconds, then twice as long
// each time.
func pause(tries int) time.Duration {
	p := 5 * time.Second << min(max(tries-1, 0), maxTries)
	return p/2 + rand.N(p)
}

// explain says to a task's owner why it stumbled, and whether trying again would
// be in vain.
func explain(vcs string, err error) (words string, forGood bool) {
	host := vcshost.Names[vcs]
	var limited *vcshost.Limited
	var key *githubhost.KeyError
	switch {
	case errors.As(err, &limited):
		return host + " takes no more requests for a while: the task goes on then", false
	case errors.Is(err, secret.ErrNotConfigured), errors.Is(err, githubhost.ErrNoApp):
		return "this server is not configured for " + host, true
	case errors.As(err, &key):
		return key.Error() + "; this is for the server's operator: start again then", true
	case errors.Is(err, vcshost.ErrElsewhere):
		return host + " sends this server on to another address than the one that is configured: the server's operator must look at it", true
	case errors.Is(err, vcshost.ErrEndless), errors.Is(err, vcshost.ErrCursor):
		return host + "'s list of repositories cannot be read to its end: its pages lead back, or do not end; " +
			"the server's operator must look at the host, or at what stands before it", true
	case errors.Is(err, grouptoken.ErrNone):
		return "no access token is stored for the group: store one, and start again", true
	case errors.Is(err, vcshost.ErrRefused) && vcs == "gitlab":
		return "GitLab does not take the group's access token: store another, and start again", true
	case errors.Is(err, vcshost.ErrRefused):
		return "GitHub does not take the App's credentials: the server's operator must look at its private key", false
	case errors.Is(err, vcshost.ErrForbidden):
		return host + " does not let this server do that: " + vcshost.Why(vcs, err) + "; see to it there, and start again" + own(host, err), true
	case errors.Is(err, errTired):
		return "the task was more than this server's workers can do at once, again and again: the server's operator must look at it", false
	case errors.Is(err, context.DeadlineExceeded):
		return "the host or this server takes too long", false
	case errors.Is(err, vcshost.ErrGone), errors.Is(err, vcshost.ErrNoInstallation):
		return host + " knows no such installation, or does not let this server see it", true
	}
	return "the host or this server had an error", false
}

// own is what the host itself says to a refusal.
func own(host string, err error) string {
	var refusal *vcshost.Refusal
	if !errors.As(err, &refusal) || refusal.Words == "" {
		return ""
	}
	return "; " + host + ` says: "` + refusal.Words + `"`
}
