package task

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
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
	lease  string
	wake   time.Time
}

func (r *Run) reminder(at time.Time) queue.Reminder { return reminder(r.Kind.Queue(), r.ID, at) }

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
		Task: decode(id, r), Tries: int(r.Int("tries")) + 1, MovedAt: r.Time("created_at"), lease: rand.Text(),
		author: change.Author{Principal: r.String(change.AttrPrincipal), Credential: r.String(change.AttrCredential), Source: r.String(change.AttrSource)},
		wake:   time.UnixMilli(r.Int("wake")),
	}
	if moved := r.Time("moved_at"); !moved.IsZero() {
		run.MovedAt = moved
	}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("%w: task %s: %w", ErrUnreadable, id, err)
	}
	if run.State != Pending && run.State != Running || run.wake.After(now) {
		return nil, ErrNotDue
	}
	before, until := run.wake, now.Add(Lease).Truncate(time.Millisecond)
	set := "SET wake = :until, lease = :lease, tries = :tries"
	values := attr.Item{
		":until": attr.Int(until.UnixMilli()), ":before": attr.Int(before.UnixMilli()),
		":lease": attr.String(run.lease), ":tries": attr.Int(int64(run.Tries)),
	}
	var names map[string]string
	if run.State == Pending {
		run.State, run.UpdatedAt = Running, now.UTC().Truncate(time.Second)
		set += ", #state = :state, updated_at = :now"
		names, values[":state"], values[":now"] = map[string]string{"#state": "state"}, attr.String(string(Running)), attr.Time(now)
	}
	set += " REMOVE idle"
	err = s.transact(ctx, append([]types.TransactWriteItem{{Update: &types.Update{
		TableName: &s.Table, Key: key(id), UpdateExpression: &set,
		ConditionExpression: aws.String("wake = :before"), ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}}}, s.reminders().Move(run.reminder(before), run.reminder(until))...))
	if errors.Is(err, ErrLost) {
		return nil, ErrNotDue
	}
	run.wake = until
	return run, err
}

// transact makes writes. Only the first is conditional. It returns ErrLost if the
// condition does not hold.
func (s Store) transact(ctx context.Context, writes []types.TransactWriteItem) error {
	switch err := awsclient.Transact(ctx, s.DB, writes); {
	case awsclient.ConditionFailed(err, 0):
		return ErrLost
	case err != nil:
		return fmt.Errorf("write task: %w", err)
	}
	return nil
}

// Save stores how far the task is: Note, Progress and MovedAt of the run. That is
// progress, so the count of tries begins anew.
func (s Store) Save(ctx context.Context, run *Run) error {
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: key(run.ID),
		UpdateExpression:         aws.String("SET note = :note, done = :done, #total = :total, tries = :none, moved_at = :moved REMOVE problem"),
		ConditionExpression:      aws.String("lease = :lease"),
		ExpressionAttributeNames: map[string]string{"#total": "total"},
		ExpressionAttributeValues: attr.Item{
			":note": attr.String(run.Note), ":done": attr.Int(run.Progress.Done), ":total": attr.Int(run.Progress.Total),
			":none": attr.Int(0), ":moved": attr.Time(run.MovedAt), ":lease": attr.String(run.lease),
		},
	})
	var lost *types.ConditionalCheckFailedException
	if errors.As(err, &lost) {
		return ErrLost
	}
	if err != nil {
		return fmt.Errorf("save task %s: %w", run.ID, err)
	}
	run.Tries, run.Problem = 0, ""
	return nil
}

// Wait gives the task back until a time. If that time is over, the table's stream
// wakes a worker for it; otherwise the schedule does. Tries of the run is kept.
// problem says why the task waits, in words for the owner. It may be empty.
func (s Store) Wait(ctx context.Context, run *Run, until time.Time, problem string) error {
	until = until.Truncate(time.Millisecond)
	values := attr.Item{
		":until": attr.Int(until.UnixMilli()), ":lease": attr.String(run.lease), ":tries": attr.Int(int64(run.Tries)),
		":idle": attr.String(run.Kind.Queue().idle()),
	}
	set := "SET wake = :until, idle = :idle, tries = :tries REMOVE lease"
	if problem != "" {
		set, values[":problem"] = "SET wake = :until, idle = :idle, tries = :tries, problem = :problem REMOVE lease", attr.String(problem)
	}
	return s.transact(ctx, append([]types.TransactWriteItem{{Update: s.held(run, set, values, nil)}},
		s.reminders().Move(run.reminder(run.wake), run.reminder(until))...))
}

// End ends the task as Completed or Failed at a time. problem says why it failed,
// in words for the owner.
func (s Store) End(ctx context.Context, run *Run, to State, problem string, now time.Time) error {
	set := "SET #state = :to, updated_at = :now, #ttl = :ttl REMOVE lease, wake, note, tries, moved_at, problem"
	values := attr.Item{
		":to": attr.String(string(to)), ":now": attr.Time(now), ":ttl": attr.Time(now.Add(Keep)), ":lease": attr.String(run.lease),
	}
	if problem != "" {
		set = "SET #state = :to, updated_at = :now, #ttl = :ttl, problem = :problem REMOVE lease, wake, note, tries, moved_at"
		values[":problem"] = attr.String(problem)
	}
	err := s.transact(ctx, []types.TransactWriteItem{
		{Update: s.held(run, set, values, map[string]string{"#state": "state", "#ttl": "ttl"})},
		s.reminders().Delete(run.reminder(run.wake)),
	})
	if err == nil {
		run.State, run.Problem, run.UpdatedAt = to, problem, now.UTC().Truncate(time.Second)
	}
	return err
}

func (s Store) held(run *Run, set string, values attr.Item, names map[string]string) *types.Update {
	return &types.Update{
		TableName: &s.Table, Key: key(run.ID), UpdateExpression: &set, ConditionExpression: aws.String("lease = :lease"),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}
}
