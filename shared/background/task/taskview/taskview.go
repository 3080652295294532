// Package taskview has the form in which the API shows tasks, alone and in lists.
package taskview

import (
	"context"
	"net/http"
	"time"

	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/background/task"
)

// Task is the JSON form of a task.
type Task struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	State     task.State `json:"state"`
	UpdatedAt string     `json:"updated_at"`
	Progress  *Progress  `json:"progress,omitempty"`
	Problem   string     `json:"problem,omitempty"`
}

// Progress is how much of a task is done.
type Progress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total,omitempty"`
}

// Of returns the JSON form of a task.
func Of(t task.Task) Task {
	view := Task{ID: t.ID, Name: t.Name, State: t.State, UpdatedAt: timestamp.Format(t.UpdatedAt), Problem: t.Problem}
	if t.Progress != (task.Progress{}) {
		view.Progress = &Progress{Done: t.Progress.Done, Total: t.Progress.Total}
	}
	return view
}

// Listed is the JSON form of a task in a list.
type Listed struct {
	Task
	CreatedAt string `json:"created_at"`
	// Owner is the id of the user who started the task. It is absent if the server or
	// an operator did.
	Owner string `json:"owner,omitempty"`
}

var shape = paging.Shape{Elements: 1, Default: 20, Max: task.MaxListed}

// Input is what the route of a list of tasks accepts.
var Input = paging.Input()

// Decode reads which page of a list a request asks for.
func Decode(r *http.Request) (paging.Request, error) {
	page, err := paging.Decode(r, shape)
	if err == nil && !page.First() && !task.ValidCursor(page.Cursor[0]) {
		err = paging.ErrCursor
	}
	return page, err
}

// Page returns a page of a list, the newest tasks first. keep says which tasks are
// shown; nil shows all.
func Page(ctx context.Context, tasks task.Store, list task.List, page paging.Request, keep func(task.Task) bool, now time.Time) (paging.Results[Listed], error) {
	q := task.Query{List: list, Oldest: page.Backward, Limit: page.Limit, Keep: keep}
	if !page.First() {
		q.After = page.Cursor[0]
	}
	found, more, err := tasks.List(ctx, q, now)
	if err != nil {
		return paging.Results[Listed]{}, err
	}
	var on []string
	if more != "" {
		on = []string{more}
	}
	rows := paging.Part(page, found, on, func(l task.Listed) []string { return []string{l.Cursor()} })
	return paging.Map(rows, func(l task.Listed) Listed {
		return Listed{Task: Of(l.Task), CreatedAt: timestamp.Format(l.CreatedAt), Owner: l.Owner}
	}), nil
}
