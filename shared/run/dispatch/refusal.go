package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// backoff says when a host is asked again that does not accept requests for now and
// does not say for how long.
var backoff = queue.Backoff{First: 30 * time.Second, Most: 10 * time.Minute}

// giveUpAfter is how long the dispatch of a run may fail for a time, before the run
// ends.
const giveUpAfter = 2 * time.Hour

// refused records that the host has started nothing. It ends the run, or lets it and
// the repository's other runs wait.
func (d Dispatcher) refused(ctx context.Context, r run.Run, problem error) error {
	d.Log.LogAttrs(ctx, slog.LevelWarn, "a run was not started", slog.String("run", string(r.ID)), slog.String("error", problem.Error()))
	reason, wait := reasonOf(r, problem)
	if wait == 0 {
		return d.abort(ctx, r, reason)
	}
	now := d.Now()
	if since := r.Dispatch.FailingSince; !since.IsZero() && now.Sub(since) >= giveUpAfter {
		return d.abort(ctx, r, run.ReasonHostUnavailable(now.Sub(since).Round(time.Minute), reason.Text))
	}
	_, err := d.Runs.DispatchFailed(ctx, r, reason.Text, now.Add(wait), d.author())
	if err == nil {
		d.Tally.Waiting.Add(1)
	}
	return harmless(err)
}

// harmless returns nil for an error that says that somebody else has changed or removed
// the run.
func harmless(err error) error {
	if errors.Is(err, runstore.ErrLost) || errors.Is(err, fault.ErrNotFound) {
		return nil
	}
	return err
}

// reasonOf returns what a refusal means. If the same request may be accepted later,
// wait is the time until then, and the reason's text is the problem.
func reasonOf(r run.Run, err error) (reason run.Reason, wait time.Duration) {
	v := r.Repository.Installation.VCS
	var rejected *vcshost.Rejection
	words := ""
	if errors.As(err, &rejected) {
		words = strings.TrimRight(rejected.Words, ". ")
	}
	switch {
	case errors.Is(err, vcshost.ErrNoBranch):
		return run.ReasonBranchMissing(r.Source.Branch), 0
	case errors.Is(err, vcshost.ErrNoWorkflow) && words == "":
		return run.ReasonWorkflowMissing(githubhost.Workflow), 0
	case rejected != nil && words == "":
		return run.ReasonDispatchRefused(fmt.Sprintf("it gave no message, and the status %d", rejected.Status)), 0
	case rejected != nil:
		if remedy := remedyOf(words); remedy != "" {
			return run.ReasonCannotStart(v.Label()+" says: "+words, remedy), 0
		}
		return run.ReasonDispatchRefused(words), 0
	case errors.Is(err, vcshost.ErrGone):
		return run.ReasonCannotStart(fmt.Sprintf("%s has no repository %s/%s, or does not show it to this server", v.Label(), r.Owner, r.Name),
			"give this server access to the repository"), 0
	}
	problem, known := vcshost.Explain(v, err)
	text := problem.Cause
	if problem.Detail != "" {
		text += "; " + problem.Detail
	}
	var limited *vcshost.Limited
	switch {
	case errors.As(err, &limited):
		return run.Reason{Text: text}, limited.RetryAfter
	case !known || !problem.Permanent:
		return run.Reason{Text: text}, backoff.Pause(r.Dispatch.Attempt)
	case problem.ID == "VCS_NOT_CONFIGURED":
		return run.ReasonNotConfigured(text, problem.Remedy), 0
	}
	return run.ReasonCannotStart(text, problem.Remedy), 0
}

// remedies are what a person does about the usual messages of hosts. Each begins with a
// part of the message.
var remedies = []struct{ part, remedy string }{
	{"unexpected inputs", "declare these inputs in the workflow file, on the default branch and on the branch of this run"},
	{"required input", "remove this input from the workflow file, or give it a default"},
	{"inputs not defined", "declare these inputs under spec.inputs of .gitlab-ci.yml, on the branch of this run"},
	{"identity verification", "the account of the group's access token has to verify its identity at GitLab"},
}

// remedyOf returns what a person does about a host's message, or the empty text.
func remedyOf(words string) string {
	lower := strings.ToLower(words)
	for _, row := range remedies {
		if strings.Contains(lower, row.part) {
			return row.remedy
		}
	}
	return ""
}
