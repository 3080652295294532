package main

import (
	"context"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/background/task/taskview"
)

func taskID(r *http.Request) (string, error) { return task.ParseID(r.PathValue("id")) }

// task returns a task to its owner. For anybody else it returns that there is no
// such task.
func (s system) task(ctx context.Context, call httpapi.Call, id string) (taskview.Task, error) {
	t, err := s.tasks.Get(ctx, id, call.Now)
	if err != nil {
		return taskview.Task{}, err
	}
	if !t.VisibleTo(call.Caller) {
		return taskview.Task{}, fault.ErrNotFound
	}
	return taskview.Of(t), nil
}

// abortTask ends a task of its owner, and returns it. A task that has ended is
// returned as it is.
func (s system) abortTask(ctx context.Context, call httpapi.Call, id string) (taskview.Task, error) {
	t, err := s.tasks.Get(ctx, id, call.Now)
	if err != nil {
		return taskview.Task{}, err
	}
	if !t.VisibleTo(call.Caller) {
		return taskview.Task{}, fault.ErrNotFound
	}
	if t, err = s.tasks.Abort(ctx, call.Author(), id); err != nil {
		return taskview.Task{}, err
	}
	return taskview.Of(t), nil
}

// listTasks returns the tasks of the caller, the newest first. With a restricted
// credential it returns those that the restriction admits.
func (s system) listTasks(ctx context.Context, call httpapi.Call, page paging.Request) (paging.Results[taskview.Listed], error) {
	visible := func(t task.Task) bool { return t.VisibleTo(call.Caller) }
	return taskview.Page(ctx, s.tasks, task.OfUser(call.Caller.User), page, visible, call.Now)
}
