package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Abortable reports whether a task of the kind may end before its work is done. What
// removes something must finish: nothing else would remove the rest.
func (k Kind) Abortable() bool { return k == RefreshRepositories }

// maxAborts is how often an abort is tried while workers change the task.
const maxAborts = 8

// Abort ends a task as Aborted, in the name of author at author.At, and returns the
// task as it is then. Its worker stops at its next write. A task that has ended stays
// as it is. It returns fault.ErrNotFound for an unknown task, and an Invalid fault for
// one that must finish.
func (s Store) Abort(ctx context.Context, author change.Author, id string) (Task, error) {
	for n := range maxAborts {
		if err := table.Pause(ctx, n); err != nil {
			return Task{}, err
		}
		item, err := s.read(ctx, id)
		if err != nil {
			return Task{}, err
		}
		r := attr.Read(item)
		t := decode(id, r)
		work := s.queue().Read(id, string(t.Kind.Queue()), r)
		switch err := r.Err(); {
		case err != nil:
			return Task{}, fmt.Errorf("%w: task %s: %w", ErrUnreadable, id, err)
		case t.Ended():
			return t, nil
		case !t.Kind.Abortable():
			return Task{}, fault.Invalidf("TASK_NOT_ABORTABLE", "the task removes what nothing else would remove, so it must finish: wait for its end")
		}
		u := table.Change(key(id)).Set(attrState, attr.String(string(Aborted))).Set(attrUpdatedAt, attr.Time(author.At)).
			Set(attrTTL, attr.Time(author.At.Add(Keep))).SetAll(author.All()).Remove(attrNote, attrTries, attrMovedAt, attrIdle, attrProblem)
		err = s.queue().Withdraw(ctx, work, u)
		if err == nil {
			t.State, t.UpdatedAt, t.Problem = Aborted, author.At.UTC().Truncate(time.Second), ""
			return t, nil
		}
		if !errors.Is(err, queue.ErrLost) && !table.Contended(err) {
			return Task{}, fmt.Errorf("abort task: %w", err)
		}
	}
	return Task{}, fault.Busyf("CONTENDED", "workers change the task at the same time: try again")
}
