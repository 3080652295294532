package main

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
)

// started names the task that does what was asked for.
type started struct {
	ID string `json:"id"`
}

func decodeTarget(r *http.Request) (vcs.Installation, error) {
	return vcs.Installation{VCS: vcs.VCS(r.PathValue("vcs")), ID: vcs.ID(r.PathValue("installation_id"))}, nil
}

// refresh starts the task that lists the installation's repositories at its
// host, or answers the one that the caller has under way.
func (r *repositories) refresh(ctx context.Context, call httpapi.Call, target vcs.Installation) (started, error) {
	if err := r.hosts[string(target.VCS)].ready(ctx, string(target.ID)); err != nil {
		return started{}, err
	}
	id := uuid.NewString()
	t, err := r.tasks.CreateOnce(ctx, call.Author(), task.Task{
		ID: id, Kind: task.RefreshRepositories, Owner: call.Caller.User, VCS: string(target.VCS), Installation: string(target.ID),
		Name: task.Title(task.RefreshRepositories, id, string(target.ID)),
	}, call.Now)
	return started{t.ID}, err
}
