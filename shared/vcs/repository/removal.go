package repository

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Removal is the input of the task that removes what belongs to a repository that is
// gone: the pull requests that are known as of Version or an older one, and all runs.
type Removal struct {
	Repository vcs.ID      `json:"repository"`
	Version    vcs.Version `json:"version"`
	// After is the cursor after which the task continues.
	After string `json:"after,omitempty"`
	// Runs says that the pull requests are removed, and that the runs are next.
	Runs bool `json:"runs,omitempty"`
}

// RemovalTask returns the task that removes what belongs to a repository that is
// gone as of a version. If the same loss is stored more than once, the task has the
// same id each time. owner is the id of the user who asked for the removal. It is
// empty if a host stated the loss.
func RemovalTask(owner string, of vcs.Repository, version vcs.Version) task.Task {
	t := task.Task{ID: removalID(of, version), Kind: task.RemovePullRequests, Owner: owner, Installation: of.Installation}
	t.Name = task.Title(t.Kind, t.ID, of.Installation.ID)
	note, err := json.Marshal(Removal{Repository: of.ID, Version: version})
	if err != nil {
		panic(err) // cannot happen: it holds texts only
	}
	t.Note = string(note)
	return t
}

// removals is the UUID namespace of the ids of such tasks.
var removals = uuid.MustParse("0c3f7f5e-6a52-4b0b-9c5e-2f2a4d1b8e67")

func removalID(of vcs.Repository, version vcs.Version) string {
	return uuid.NewSHA1(removals, fmt.Appendf(nil, "%s#%s#%s#%s", of.Installation.VCS, of.Installation.ID, of.ID, version)).String()
}
