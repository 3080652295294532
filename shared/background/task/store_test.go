package task_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
)

var born = time.Unix(4_000_000_000, 0).UTC()

func at(d time.Duration) change.Author {
	return change.Author{Principal: "ann", Credential: "key", Source: "192.0.2.1", Request: uuid.NewString(), At: born.Add(d)}
}

func open(t *testing.T) (*storagetest.Env, task.Store) {
	env := storagetest.New(t)
	return env, over(env)
}

func over(env *storagetest.Env) task.Store {
	return task.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
}

// create stores a task and returns it as it is read back.
func create(t *testing.T, s task.Store) task.Task {
	t.Helper()
	made := task.Task{
		ID: uuid.NewString(), Owner: uuid.NewString(), Installation: vcs.Installation{VCS: "github", ID: "42"}, Name: "refresh",
		Kind: task.RefreshRepositories, Note: `{"page":1}`, State: task.Pending, UpdatedAt: born,
	}
	if err := s.Create(t.Context(), at(0), made); err != nil {
		t.Fatal(err)
	}
	return made
}

// due returns the tasks that are due at a time.
func due(t *testing.T, s task.Store, after time.Duration) []string {
	t.Helper()
	ids, err := s.Due(t.Context(), task.Hosts, born.Add(after), 100)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestTaskLivesThroughItsStates(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ctx := context.Background()
	want := create(t, s)
	if err := s.Create(ctx, at(time.Second), want); err == nil {
		t.Error("a second task with the same id was created")
	}
	check := func(now time.Duration, dueIDs ...string) {
		t.Helper()
		if got, err := s.Get(ctx, want.ID, born); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		if got := due(t, s, now); !slices.Equal(got, dueIDs) {
			t.Errorf("due %v, want %v", got, dueIDs)
		}
	}
	check(0, want.ID)
	run, err := s.Begin(ctx, want.ID, born.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if a := run.Author("r", born); a.Principal != "ann" || a.Credential != "key" || a.Source != "192.0.2.1" || a.Request != "r" || !a.At.Equal(born) {
		t.Errorf("author %+v", a)
	}
	want.State, want.UpdatedAt = task.Running, born.Add(time.Minute)
	check(time.Minute)
	run.Note, run.Progress = `{"page":2}`, task.Progress{Done: 100, Total: 340}
	if err := s.Save(ctx, run); err != nil {
		t.Fatal(err)
	}
	want.Note, want.Progress = run.Note, run.Progress
	check(time.Minute)
	if err := s.Wait(ctx, run, born.Add(time.Hour), "the host asks for patience"); err != nil {
		t.Fatal(err)
	}
	want.Problem = "the host asks for patience"
	check(time.Hour - time.Second)
	check(time.Hour, want.ID)
	if run, err = s.Begin(ctx, want.ID, born.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.End(ctx, run, task.Completed, "", born.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	want.State, want.UpdatedAt, want.Note, want.Problem = task.Completed, born.Add(2*time.Hour), "", ""
	check(100 * time.Hour)
	if _, err := s.Begin(ctx, want.ID, born.Add(100*time.Hour)); !errors.Is(err, task.ErrNotDue) {
		t.Errorf("begin one that has ended: %v", err)
	}
	for what, err := range map[string]error{
		"save": s.Save(ctx, run), "wait": s.Wait(ctx, run, born, ""), "end": s.End(ctx, run, task.Failed, "no", born),
	} {
		if !errors.Is(err, task.ErrLost) {
			t.Errorf("%s when it has ended: %v, want %v", what, err, task.ErrLost)
		}
	}
	check(100 * time.Hour)
}

func TestOneWorkerHasATaskUntilItsLeaseIsOver(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ctx := context.Background()
	id := create(t, s).ID
	first, err := s.Begin(ctx, id, born)
	if err != nil || first.Tries != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	if _, err := s.Begin(ctx, id, born.Add(task.Lease-time.Second)); !errors.Is(err, task.ErrNotDue) {
		t.Errorf("begin another's: %v, want %v", err, task.ErrNotDue)
	}
	if got := due(t, s, task.Lease-time.Second); len(got) != 0 {
		t.Errorf("due %v", got)
	}
	if got := due(t, s, task.Lease); !slices.Equal(got, []string{id}) {
		t.Errorf("a task whose worker died is not due: %v", got)
	}
	second, err := s.Begin(ctx, id, born.Add(task.Lease))
	if err != nil || second.Tries != 2 {
		t.Fatalf("%+v, %v", second, err)
	}
	for what, err := range map[string]error{
		"save": s.Save(ctx, first), "wait": s.Wait(ctx, first, born, ""), "end": s.End(ctx, first, task.Failed, "no", born),
	} {
		if !errors.Is(err, task.ErrLost) {
			t.Errorf("%s by the first worker: %v, want %v", what, err, task.ErrLost)
		}
	}
	if err := s.Save(ctx, second); err != nil {
		t.Error(err)
	}
	if err := s.Wait(ctx, second, born.Add(task.Lease), ""); err != nil {
		t.Fatal(err)
	}
	if third, err := s.Begin(ctx, id, born.Add(task.Lease)); err != nil || third.Tries != 1 {
		t.Errorf("after progress: %+v, %v", third, err)
	}
	if _, err := s.Begin(ctx, uuid.NewString(), born); !errors.Is(err, task.ErrNotDue) {
		t.Errorf("begin one that is unknown: %v", err)
	}
}

func TestUnknownAndExpiredTasksDoNotExist(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ctx := context.Background()
	if _, err := s.Get(ctx, uuid.NewString(), born); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("unknown: %v, want %v", err, fault.ErrNotFound)
	}
	id := create(t, s).ID
	if _, err := s.Get(ctx, id, born.Add(task.Keep)); err != nil {
		t.Errorf("on its last second: %v", err)
	}
	if _, err := s.Get(ctx, id, born.Add(task.Keep+time.Second)); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("expired, but not yet removed: %v, want %v", err, fault.ErrNotFound)
	}
}

// TestTaskIsNeverForgotten makes every call of a task's life fail in every way. A
// later worker always ends the task, and no item stays behind.
func TestTaskIsNeverForgotten(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	for _, kind := range []storagetest.Kind{
		storagetest.Throttle, storagetest.Conflict, storagetest.ServerError, storagetest.LoseAnswer, storagetest.LoseRequest, storagetest.Refuse,
	} {
		for broken := 1; broken <= 6; broken++ {
			var f storagetest.Faults
			f.Add(storagetest.Fault{Nth: broken, Kind: kind})
			id, now := create(t, s).ID, born
			for life := over(env.WithFaults(&f)); ; now = now.Add(task.Lease) {
				run, err := life.Begin(t.Context(), id, now)
				if err == nil && life.Save(t.Context(), run) == nil && life.Wait(t.Context(), run, now, "") == nil {
					if run, err = life.Begin(t.Context(), id, now); err == nil {
						err = life.End(t.Context(), run, task.Completed, "", now)
					}
				}
				if got, err := s.Get(t.Context(), id, born); err != nil {
					t.Fatal(err)
				} else if got.State == task.Completed {
					break
				}
				if len(due(t, s, now.Add(task.Lease).Sub(born))) == 0 {
					t.Fatalf("fault %d at call %d: %v, and nobody takes the task up", kind, broken, err)
				}
			}
			if left := due(t, s, 1000*time.Hour); len(left) > 0 {
				t.Fatalf("fault %d at call %d: reminders stay: %v", kind, broken, left)
			}
		}
	}
}

func TestOwnerHasOneTaskOfAKindAtATime(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ask := func(owner, installation string) string {
		t.Helper()
		got, err := s.CreateOnce(t.Context(), at(0), task.Task{
			ID: uuid.NewString(), Kind: task.RefreshRepositories, Owner: owner, Installation: vcs.Installation{VCS: "github", ID: vcs.ID(installation)},
		}, born)
		if err != nil || got.State != task.Pending {
			t.Fatalf("%+v, %v", got, err)
		}
		return got.ID
	}
	first := ask("ann", "42")
	if again := ask("ann", "42"); again != first {
		t.Error("a second task was made while the first waits")
	}
	others := []string{ask("bob", "42"), ask("ann", "43")}
	if slices.Contains(others, first) {
		t.Error("somebody else, or elsewhere, got the same task")
	}
	run, err := s.Begin(t.Context(), first, born)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.End(t.Context(), run, task.Failed, "no", born); err != nil {
		t.Fatal(err)
	}
	if again := ask("ann", "42"); again == first {
		t.Error("a task that has ended was answered")
	}
}

func TestWhatAsksWithinFiveMinutesGetsOneTaskBehindAllOfIt(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	refresh := func(s task.Store, installation string, after time.Duration) {
		t.Helper()
		if err := s.Gather(t.Context(), at(after), task.Task{Kind: task.RefreshRepositories, Installation: vcs.Installation{VCS: "gitlab", ID: vcs.ID(installation)}}); err != nil {
			t.Fatal(err)
		}
	}
	first := 5*time.Minute - time.Duration(born.Unix()%300)*time.Second // the time at which the next five minutes begin
	for _, after := range []time.Duration{0, time.Second, 4*time.Minute + 59*time.Second, 0} {
		refresh(s, "77", first+after)
	}
	for _, kind := range []storagetest.Kind{storagetest.LoseAnswer, storagetest.LoseRequest, storagetest.Conflict, storagetest.Duplicate} {
		var f storagetest.Faults
		f.Add(storagetest.Fault{Nth: 1, Kind: kind})
		refresh(over(env.WithFaults(&f)), "77", first+time.Minute)
	}
	if got := due(t, s, first+5*time.Minute-time.Millisecond); len(got) > 0 {
		t.Errorf("due before what asks is over: %v", got)
	}
	got := due(t, s, first+5*time.Minute)
	if len(got) != 1 {
		t.Fatalf("%d tasks, want one", len(got))
	}
	if made, err := s.Get(t.Context(), got[0], born); err != nil || made.Kind != task.RefreshRepositories || made.Owner != "" || made.Installation.ID != "77" {
		t.Errorf("%+v, %v", made, err)
	}
	refresh(s, "77", first+5*time.Minute)
	refresh(s, "78", first)
	if got := due(t, s, first+10*time.Minute); len(got) != 3 {
		t.Errorf("%d tasks of another time and another group, want 3", len(got))
	}
}
