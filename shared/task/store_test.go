package task_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/storagetest"
	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/fault"
	"github.com/opsplane/opsplane/shared/task"
)

var born = time.Unix(4_000_000_000, 0).UTC()

func at(d time.Duration) change.Author {
	return change.Author{Principal: "user", Request: uuid.NewString(), At: born.Add(d)}
}

func TestTaskLivesThroughItsStates(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := task.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	ctx := context.Background()
	want := task.Task{
		ID: uuid.NewString(), Owner: uuid.NewString(), VCS: "github", Installation: "42", Name: "refresh",
		State: task.Pending, UpdatedAt: born,
	}
	if err := s.Create(ctx, at(0), want); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(ctx, at(time.Second), want); err == nil {
		t.Error("a second task with the same id was created")
	}
	check := func() {
		t.Helper()
		if got, err := s.Get(ctx, want.ID, born); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	check()
	for i, state := range []task.State{task.Running, task.Completed} {
		d := time.Duration(i+1) * time.Minute
		if err := s.Move(ctx, at(d), want.ID, state); err != nil {
			t.Fatalf("move to %s: %v", state, err)
		}
		want.State, want.UpdatedAt = state, born.Add(d)
		check()
	}
	for _, state := range []task.State{task.Pending, task.Running, task.Failed, task.Aborted, task.Completed, "nonsense"} {
		if err := s.Move(ctx, at(time.Hour), want.ID, state); !errors.Is(err, task.ErrEnded) {
			t.Errorf("move a completed task to %s: %v, want %v", state, err, task.ErrEnded)
		}
	}
	check()
	if err := s.Move(ctx, at(0), uuid.NewString(), task.Running); !errors.Is(err, task.ErrEnded) {
		t.Errorf("move an unknown task: %v, want %v", err, task.ErrEnded)
	}
}

func TestUnknownAndExpiredTasksDoNotExist(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := task.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	ctx := context.Background()
	id := uuid.NewString()
	if _, err := s.Get(ctx, id, born); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("unknown: %v, want %v", err, fault.ErrNotFound)
	}
	if err := s.Create(ctx, at(0), task.Task{ID: id, Owner: "u", Name: "n"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, id, born.Add(task.Keep)); err != nil {
		t.Errorf("on its last second: %v", err)
	}
	if _, err := s.Get(ctx, id, born.Add(task.Keep+time.Second)); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("expired, but not yet removed: %v, want %v", err, fault.ErrNotFound)
	}
}

func TestLostAnswersAreNoRefusals(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	ctx := context.Background()
	faulty := func(operation string) task.Store {
		var f storagetest.Faults
		f.Add(storagetest.Fault{Operation: operation, Nth: 1, Kind: storagetest.LoseAnswer})
		return task.Store{DB: env.WithFaults(&f).DynamoDB, Table: env.Table("OperationsTable")}
	}
	id, request := uuid.NewString(), at(0)
	if err := faulty("PutItem").Create(ctx, request, task.Task{ID: id, Owner: "u", Name: "n"}); err != nil {
		t.Errorf("create: %v", err)
	}
	for _, state := range []task.State{task.Running, task.Completed} {
		if err := faulty("UpdateItem").Move(ctx, request, id, state); err != nil {
			t.Errorf("move to %s: %v", state, err)
		}
	}
	s := task.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	if got, err := s.Get(ctx, id, born); err != nil || got.State != task.Completed {
		t.Errorf("got %+v, %v; want it completed", got, err)
	}
	if err := faulty("UpdateItem").Move(ctx, at(0), id, task.Completed); !errors.Is(err, task.ErrEnded) {
		t.Errorf("another request: %v, want %v", err, task.ErrEnded)
	}
	if err := s.Move(ctx, request, id, task.Failed); !errors.Is(err, task.ErrEnded) {
		t.Errorf("the same request to another state: %v, want %v", err, task.ErrEnded)
	}
}
