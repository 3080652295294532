package main

import (
	"context"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/background/task"
)

// started names the task that does what the request asked for.
type started struct {
	ID string `json:"id"`
}

// refresh starts the task that lists the installation's repositories at its host.
// If such a task of the caller is running, it returns that one.
func (r *repositories) refresh(ctx context.Context, call httpapi.Call, _ struct{}) (started, error) {
	in := call.Installation
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
