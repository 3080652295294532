package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// removal removes the pull requests of a repository that is gone, then what was decided
// about them, their change sets and its runs.
type removal struct {
	pullRequests pullrequest.Store
	repositories repository.Store
	runs         runstore.Store
	standing     standing.Store
	changes      changeset.Store
	lanes        lane.Store
	// before removes what other packages keep of a run.
	before runstore.Before
	// part is the maximum number of pull requests that are removed in a step. runPart
	// is that of runs.
	part, runPart int
}

const (
	// removalPart is the number of pull requests that are removed in a step. This takes
	// some seconds.
	removalPart = 200
	// removalRuns is the number of runs that are removed in a step. A run has up to a
	// hundred items and objects.
	removalRuns = 20
	// removalStanding is the number of items about what stands where that are removed in
	// a step.
	removalStanding = 500
)

func (r removal) step(ctx context.Context, run *task.Run, author change.Author) (bool, error) {
	var what repository.Removal
	if err := json.Unmarshal([]byte(run.Note), &what); err != nil {
		return false, fmt.Errorf("read note: %w", err)
	}
	if what.Runs {
		return r.removeRuns(ctx, run, what, author)
	}
	seen, next, err := r.pullRequests.Remove(ctx, run.Installation.Repository(what.Repository), what.Version, what.After, r.part)
	if err != nil {
		return false, err
	}
	run.Progress.Done += int64(seen)
	run.Progress.Total = run.Progress.Done
	what.After, what.Runs = next, next == ""
	note, err := json.Marshal(what)
	run.Note = string(note)
	return false, err
}

// removeRuns removes the lane of the repository's evaluations, the change sets and the
// runs, and then what the runs left standing. If the repository is there again, all that is left stays: some
// may be new. What stands of runs that are gone is replaced by the next runs, because the
// Seqs of the repository go on.
func (r removal) removeRuns(ctx context.Context, run *task.Run, what repository.Removal, author change.Author) (bool, error) {
	of := run.Installation.Repository(what.Repository)
	if _, err := r.repositories.Get(ctx, of); !errors.Is(err, fault.ErrNotFound) {
		return err == nil, err
	}
	if _, more, err := r.lanes.RemoveRepository(ctx, of, r.part); err != nil || more {
		return false, err
	}
	if _, more, err := r.changes.RemoveRepository(ctx, of, r.part); err != nil || more {
		return false, err
	}
	if finished, err := r.runs.RemoveRepository(ctx, of, r.runPart, r.before, author); err != nil || !finished {
		return false, err
	}
	return r.standing.RemoveRepository(ctx, of, removalStanding)
}
