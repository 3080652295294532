package main

import (
	"context"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/background/task"
)

// taskResponse is the JSON form of a task.
type taskResponse struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	State     task.State `json:"state"`
	UpdatedAt string     `json:"updated_at"`
	Progress  *progress  `json:"progress,omitempty"`
	Problem   string     `json:"problem,omitempty"`
}

// progress is how much of a task is done.
type progress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total,omitempty"`
}

func taskID(r *http.Request) (string, error) { return task.ParseID(r.PathValue("id")) }

// task returns a task to its owner. For anybody else it returns that there is no
// such task.
func (s system) task(ctx context.Context, call httpapi.Call, id string) (taskResponse, error) {
	t, err := s.tasks.Get(ctx, id, call.Now)
	if err != nil {
		return taskResponse{}, err
	}
	if !t.VisibleTo(call.Caller) {
		return taskResponse{}, fault.ErrNotFound
	}
	return shown(t), nil
}

// abortTask ends a task of its owner, and returns it. A task that has ended is
// returned as it is.
func (s system) abortTask(ctx context.Context, call httpapi.Call, id string) (taskResponse, error) {
	t, err := s.tasks.Get(ctx, id, call.Now)
	if err != nil {
		return taskResponse{}, err
	}
	if !t.VisibleTo(call.Caller) {
		return taskResponse{}, fault.ErrNotFound
	}
	if t, err = s.tasks.Abort(ctx, call.Author(), id); err != nil {
		return taskResponse{}, err
	}
	return shown(t), nil
}

// shown returns the JSON form of a task.
func shown(t task.Task) taskResponse {
	response := taskResponse{ID: t.ID, Name: t.Name, State: t.State, UpdatedAt: timestamp.Format(t.UpdatedAt), Problem: t.Problem}
	if t.Progress != (task.Progress{}) {
		response.Progress = &progress{Done: t.Progress.Done, Total: t.Progress.Total}
	}
	return response
}
