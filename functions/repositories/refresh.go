package main

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
)

// started names the task that does what the request asked for.
type started struct {
	ID string `json:"id"`
}

func decodeInstallation(r *http.Request) (vcs.Installation, error) {
	return vcs.Installation{VCS: vcs.VCS(r.PathValue("vcs")), ID: vcs.ID(r.PathValue("installation_id"))}, nil
}

// refresh starts the task that lists the installation's repositories at its host.
// If such a task of the caller is running, it returns that one.
func (r *repositories) refresh(ctx context.Context, call httpapi.Call, in vcs.Installation) (started, error) {
	if _, err := r.openHost(ctx, in); err != nil {
		return started{}, err
	}
	id := uuid.NewString()
	t, err := r.tasks.CreateOnce(ctx, call.Author(), task.Task{
		ID: id, Kind: task.RefreshRepositories, Owner: call.Caller.User, Installation: in,
		Name: task.Title(task.RefreshRepositories, id, in.ID),
	}, call.Now)
	return started{t.ID}, err
}
