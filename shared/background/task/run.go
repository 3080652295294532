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

// ErrNotDue says that a task has ended, is unknown, is not due yet, or belongs to
// another worker.
var ErrNotDue = errors.New("the task is not due")

// ErrLost says that the first worker's lease is over and another worker has begun
// the task.
var ErrLost = errors.New("the task is another worker's")

// ErrUnreadable says that the item of a task cannot be read as a task. Trying again
// does not help. Bury ends the task.
var ErrUnreadable = errors.New("the task cannot be read")

// Lease is how long one worker has the exclusive right to a task. It must end its
// part before that.
const Lease = 2 * time.Minute

// Run is a task that one worker has begun.
type Run struct {
	Task
	// Tries counts how often the task was begun since it last made progress. It
	// includes this time.
	Tries int
	// MovedAt is the time at which the task last made progress, or was created, in
	// whole seconds. Its worker sets it before Save.
	MovedAt time.Time

	author change.Author
	work   queue.Work
}

// Author returns the principal who asked for the task, as the author of changes
// that the task makes in a request at a time.
func (r *Run) Author(request string, now time.Time) change.Author {
	a := r.author
	a.Request, a.At = request, now
	return a
}

// Begin begins a task that is due. Otherwise it returns ErrNotDue, or
// ErrUnreadable. No other worker can begin the task until the Lease is over.
func (s Store) Begin(ctx context.Context, id string, now time.Time) (*Run, error) {
	item, err := s.read(ctx, id)
	if errors.Is(err, fault.ErrNotFound) {
		return nil, ErrNotDue
	}
	if err != nil {
		return nil, err
	}
	r := attr.Read(item)
	run := &Run{
		Task: decode(id, r), MovedAt: r.Time(attrCreatedAt),
		author: change.Author{Principal: r.String(change.AttrPrincipal), Credential: r.String(change.AttrCredential), Source: r.String(change.AttrSource)},
	}
	if moved := r.Time(attrMovedAt); !moved.IsZero() {
		run.MovedAt = moved
	}
	work := s.queue().Read(id, string(run.Kind.Queue()), r)
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("%w: task %s: %w", ErrUnreadable, id, err)
	}
	if run.Ended() || work.Place.Due > now.UnixMilli() {
		return nil, ErrNotDue
	}
	u := table.Change(key(id)).Remove(attrIdle)
	if run.State == Pending {
		run.State, run.UpdatedAt = Running, now.UTC().Truncate(time.Second)
		u.Set(attrState, attr.String(string(Running))).Set(attrUpdatedAt, attr.Time(now))
	}
	if run.work, err = s.queue().Take(ctx, work, u, now); errors.Is(err, queue.ErrLost) {
		return nil, ErrNotDue
	}
	run.Tries = run.work.Tries
	return run, written(err)
}

// written returns the error of a write of a task. It is ErrLost if the worker no
// longer has the task.
func written(err error) error {
	switch {
	case errors.Is(err, queue.ErrLost):
		return ErrLost
	case err != nil:
		return fmt.Errorf("write task: %w", err)
	}
	return nil
}

// Save stores how far the task is: Note, Progress and MovedAt of the run. That is
// progress, so the count of tries begins anew.
func (s Store) Save(ctx context.Context, run *Run) error {
	u := table.Change(key(run.ID)).Set(attrNote, attr.String(run.Note)).Set(attrDone, attr.Int(run.Progress.Done)).
		Set(attrTotal, attr.Int(run.Progress.Total)).Set(attrTries, attr.Int(0)).Set(attrMovedAt, attr.Time(run.MovedAt)).Remove(attrProblem)
	if err := s.queue().Save(ctx, run.work, u); err != nil {
		return written(err)
	}
	run.Tries, run.Problem = 0, ""
	return nil
}

// Wait gives the task back until a time. If that time is over, the table's stream
// wakes a worker for it; otherwise the schedule does. Tries of the run is kept.
// problem says why the task waits, in words for the owner. It may be empty.
func (s Store) Wait(ctx context.Context, run *Run, until time.Time, problem string) error {
	q := run.Kind.Queue()
	u := table.Change(key(run.ID)).Set(attrIdle, attr.String(q.idle())).Set(attrTries, attr.Int(int64(run.Tries)))
	if problem != "" {
		u.Set(attrProblem, attr.String(problem))
	}
	return written(s.queue().Move(ctx, run.work, u, q.at(until)))
}

// End ends the task as Completed or Failed at a time. problem says why it failed,
// in words for the owner.
func (s Store) End(ctx context.Context, run *Run, to State, problem string, now time.Time) error {
	u := table.Change(key(run.ID)).Set(attrState, attr.String(string(to))).Set(attrUpdatedAt, attr.Time(now)).Set(attrTTL, attr.Time(now.Add(Keep))).
		SetOrRemove(problem != "", attrProblem, attr.String(problem)).Remove(attrNote, attrTries, attrMovedAt)
	err := s.queue().Move(ctx, run.work, u, queue.Place{})
	if err == nil {
		run.State, run.Problem, run.UpdatedAt = to, problem, now.UTC().Truncate(time.Second)
	}
	return written(err)
}
