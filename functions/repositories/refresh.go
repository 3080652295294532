package main

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
)

// started names the task that does what was asked for.
type started struct {
	ID string `json:"id"`
}

func decodeTarget(r *http.Request) (access.Target, error) {
	return access.Target{VCS: r.PathValue("vcs"), Installation: r.PathValue("installation_id")}, nil
}

// refresh starts the task that lists the installation's repositories at its
// host, or answers the one that the caller has under way.
func (r *repositories) refresh(ctx context.Context, call httpapi.Call, target access.Target) (started, error) {
	if _, err := r.openHost(ctx, vcs.Installation{VCS: vcs.VCS(target.VCS), ID: vcs.ID(target.Installation)}); err != nil {
		return started{}, err
	}
	id := uuid.NewString()
	t, err := r.tasks.CreateOnce(ctx, call.Author(), task.Task{
		ID: id, Kind: task.RefreshRepositories, Owner: call.Caller.User, VCS: target.VCS, Installation: target.Installation,
		Name: task.Title(task.RefreshRepositories, id, target.Installation),
	}, call.Now)
	return started{t.ID}, err
}
