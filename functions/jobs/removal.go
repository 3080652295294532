package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// removal removes the pull requests of a repository that is gone.
type removal struct {
	pullRequests pullrequest.Store
	// part is the maximum number of pull requests that are removed in a step.
	part int
}

// removalPart is the number of pull requests that are removed in a step. This takes
// some seconds.
const removalPart = 200

func (r removal) step(ctx context.Context, run *task.Run, _ change.Author) (bool, error) {
	var what repository.Removal
	if err := json.Unmarshal([]byte(run.Note), &what); err != nil {
		return false, fmt.Errorf("read note: %w", err)
	}
	seen, next, err := r.pullRequests.Remove(ctx, run.Installation.Repository(what.Repository), what.Version, what.After, r.part)
	if err != nil {
		return false, err
	}
	run.Progress.Done += int64(seen)
	run.Progress.Total = run.Progress.Done
	what.After = next
	note, err := json.Marshal(what)
	run.Note = string(note)
	return next == "", err
}
