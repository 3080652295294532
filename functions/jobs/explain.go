package main

import (
	"context"
	"errors"

	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/background/task/work"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// explain returns why a task failed, in words for its owner, and whether the task
// must not be tried again by itself.
func explain(run *task.Run, err error) (words string, permanent bool) {
	switch {
	case errors.Is(err, work.ErrTired):
		return "the task was more than this server's workers can do at once, again and again: the server's operator must look at it", false
	case errors.Is(err, context.DeadlineExceeded):
		return "the host or this server takes too long", false
	}
	problem, ok := vcshost.Explain(run.Installation.VCS, err)
	if !ok {
		return "the host or this server had an error", false
	}
	words = problem.Cause
	switch {
	case problem.Permanent:
		words += ": " + problem.Remedy + ", and start again"
	case problem.Remedy != "":
		words += ": " + problem.Remedy
	case problem.RetryAfter > 0:
		words += ": the task goes on then"
	}
	if problem.Detail != "" {
		words += "; " + problem.Detail
	}
	return words, problem.Permanent
}
