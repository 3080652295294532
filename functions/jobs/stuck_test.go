package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/background/task/work"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// stepIs replaces the step of all refreshes.
func (r *rig) stepIs(s work.Step) { r.Steps[task.RefreshRepositories] = s }

// again asks for a refresh, as a user does, whether one is running or not.
func (r *rig) again(t *testing.T) string {
	t.Helper()
	made, err := r.Tasks.CreateOnce(t.Context(), r.author(), task.Task{
		ID: uuid.NewString(), Kind: task.RefreshRepositories, Owner: "ann", Installation: vcs.Installation{VCS: "github", ID: "42"},
	}, r.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

func TestTaskThatTakesAllTimeInVainFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tries := 0
	var over context.CancelFunc
	r.stepIs(func(ctx context.Context, _ *task.Run, _ change.Author) (bool, error) {
		tries++
		over()
		return false, ctx.Err()
	})
	id := r.again(t)
	for range 2 * work.MaxTries {
		var ctx context.Context
		ctx, over = context.WithCancel(t.Context())
		r.wakeIn(ctx, t, r.Worker, id)
		over()
		r.Clock.Add(time.Hour)
	}
	if got := r.task(t, id); got.State != task.Failed || got.Problem == "" || tries != work.MaxTries {
		t.Errorf("after %d tries: %+v", tries, got)
	}
	if n := strings.Count(r.Rig.Log.String(), "task stumbled"); n != work.MaxTries {
		t.Errorf("%d lines of %d tries", n, tries)
	}
	if r.again(t) == id {
		t.Error("the failed task is answered to whoever starts another")
	}
}

func TestTimeThatIsOverBehindProgressIsNoFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	steps := 0
	var over context.CancelFunc
	r.stepIs(func(ctx context.Context, _ *task.Run, _ change.Author) (bool, error) {
		if steps++; steps%2 == 0 { // every second step takes longer than the invocation
			over()
			return false, ctx.Err()
		}
		return steps > 6*work.MaxTries, nil
	})
	id := r.start(t, "github", "42")
	for r.task(t, id).State != task.Completed {
		var ctx context.Context
		ctx, over = context.WithCancel(t.Context())
		r.wakeIn(ctx, t, r.Worker, id)
		over()
		if r.task(t, id).State == task.Failed {
			t.Fatalf("step %d: %+v", steps, r.task(t, id))
		}
	}
	if strings.Contains(r.Rig.Log.String(), "stumbled") {
		t.Error("the log tells of failures")
	}
}

func TestTaskThatKillsItsWorkersFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.stepIs(func(context.Context, *task.Run, change.Author) (bool, error) {
		t.Error("it was tried once more")
		return false, nil
	})
	id := r.again(t)
	for range work.MaxTries {
		if _, err := r.Tasks.Begin(t.Context(), id, r.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		r.Clock.Add(task.Lease + time.Second)
	}
	r.settle(t)
	if got := r.task(t, id); got.State != task.Failed || !strings.Contains(got.Problem, "operator") {
		t.Errorf("task %+v", got)
	}
	if r.again(t) == id {
		t.Error("the failed task is answered to whoever starts another")
	}
}

func TestTaskMayTakeDaysWhileItMakesProgress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	begun, steps := r.Clock.Now(), 0
	r.stepIs(func(context.Context, *task.Run, change.Author) (bool, error) {
		if steps++; steps%2 == 0 {
			return false, vcshost.Limit(time.Hour)
		}
		return steps > 100, nil
	})
	id := r.start(t, "github", "42")
	for r.task(t, id).State != task.Completed && r.task(t, id).State != task.Failed {
		r.schedule(t)
		r.Clock.Add(61 * time.Minute)
	}
	if got := r.task(t, id); got.State != task.Completed || r.Clock.Now().Sub(begun) < 2*work.MaxAge {
		t.Errorf("after %s: %+v", r.Clock.Now().Sub(begun), got)
	}
}

func TestTaskThatWaitsADayForItsHostFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.stepIs(func(context.Context, *task.Run, change.Author) (bool, error) { return false, vcshost.Limit(time.Hour) })
	id, begun := r.start(t, "github", "42"), r.Clock.Now()
	for r.task(t, id).State != task.Failed {
		r.schedule(t)
		if r.Clock.Add(61 * time.Minute); r.Clock.Now().Sub(begun) > 2*work.MaxAge {
			t.Fatalf("task %+v", r.task(t, id))
		}
	}
	if age := r.Clock.Now().Sub(begun); age < work.MaxAge {
		t.Errorf("given up after %s", age)
	}
}

// TestSlowHostIsListedBitByBit has invocations that end after forty requests to the
// host.
func TestSlowHostIsListedBitByBit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.github.Install("42", many(120)...)
	id := r.start(t, "github", "42")
	for invocations := 0; r.task(t, id).State != task.Completed; invocations++ {
		if invocations > 10 {
			t.Fatalf("task %+v", r.task(t, id))
		}
		ctx, over := context.WithCancel(t.Context())
		var mu sync.Mutex
		asked := 0
		r.github.Choose(func(string) *vcstest.Failure {
			mu.Lock()
			defer mu.Unlock()
			if asked++; asked <= 40 {
				return nil
			}
			over()
			return &vcstest.Failure{}
		})
		r.wakeIn(ctx, t, r.over(r.Role), id)
		over()
		r.Clock.Add(time.Hour)
	}
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want(many(120))) {
		t.Errorf("%d are listed", len(got))
	}
}

func TestRepositoryWithAnOddAnswerHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{
		"blocked": http.StatusUnavailableForLegalReasons, "forbidden": http.StatusForbidden, "broken": http.StatusInternalServerError,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			before := many(5)
			r.github.Install("42", before...)
			r.settleAfter(t, r.start(t, "github", "42"))
			r.Clock.Add(time.Hour)
			// The host does not say whether 3 and 6 have the workflow file: for 3 it
			// is known from before, for 6 it is not. 5 is not listed, and the host does not say
			// whether it exists.
			r.github.Install("42", append(many(6)[:4], many(6)[5])...)
			for _, match := range []string{"GET /repos/acme/r3/contents", "GET /repos/acme/r6/contents", "GET /repositories/5"} {
				r.github.Fail(vcstest.Failure{Match: match, Status: status, Body: `{"message":"words of the host"}`})
			}
			r.settleAfter(t, r.start(t, "github", "42"))
			known := many(6)
			known[5].Files = nil
			if got := r.listed(t, "github", "42"); !slices.Equal(got, want(known)) {
				t.Errorf("listed %v", got)
			}
			log := r.Rig.Log.String()
			if strings.Count(log, "workflow file unknown") != 2 || strings.Count(log, "repository in doubt") != 1 ||
				strings.Contains(log, "words of the host") != (status == http.StatusForbidden) {
				t.Errorf("log %s", log)
			}
		})
	}
}

func TestTokenThatIsRefusedWhileFilesAreLookedForFailsTheRefresh(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.github.Install("42", vcstest.Repository{ID: 1, Owner: "acme", Name: "r1", Files: []string{githubhost.Workflow}})
	r.github.Fail(vcstest.Failure{Match: "GET /repos/", Status: http.StatusUnauthorized})
	id := r.start(t, "github", "42")
	r.wake(t, r.Worker, id)
	if got := r.task(t, id); got.State != task.Running || !strings.Contains(got.Problem, "credentials") || len(r.listed(t, "github", "42")) != 0 {
		t.Errorf("task %+v", got)
	}
}

// spoil makes a task unreadable.
func (r *rig) spoil(t *testing.T, id string) {
	t.Helper()
	_, err := r.Env.DynamoDB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(r.Env.Table("OperationsTable")), Key: attr.Item{"pk": attr.String("TASK#" + id), "sk": attr.String("TASK")},
		UpdateExpression: aws.String("SET tries = :n"), ExpressionAttributeValues: attr.Item{":n": attr.String("many")},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnreadableTaskIsEndedAndHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for name, wake := range map[string]func(*testing.T, *rig, ...string){
		"schedule": func(t *testing.T, r *rig, _ ...string) { r.schedule(t) },
		"stream": func(t *testing.T, r *rig, ids ...string) {
			if r.wakeIn(t.Context(), t, r.Worker, ids...) {
				t.Error("handed back")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.github.Install("42", many(2)...)
			bad, good := r.start(t, "github", "42"), r.start(t, "github", "42")
			r.spoil(t, bad)
			wake(t, r, bad, good)
			if got := r.task(t, good); got.State != task.Completed {
				t.Errorf("its neighbour: %+v", got)
			}
			if got := r.task(t, bad); got.State != task.Failed || got.Owner != "ann" || !strings.Contains(got.Problem, "cannot be read") {
				t.Errorf("task %+v", got)
			}
			if ids, err := r.Tasks.Due(t.Context(), task.Hosts, r.Clock.Now().Add(work.MaxAge), 10); err != nil || len(ids) > 0 {
				t.Errorf("due %v, %v", ids, err)
			}
			if log := r.Rig.Log.String(); !strings.Contains(log, "task unreadable") || !strings.Contains(log, `"unreadable":1`) {
				t.Errorf("log %s", log)
			}
		})
	}
}

func TestTaskThatCannotBeTakenUpHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.github.Install("42", many(2)...)
	ids := []string{r.start(t, "github", "42"), r.start(t, "github", "42")}
	reads := 0
	faults := &storagetest.Faults{Choose: func(operation string) storagetest.Fault {
		if operation == "GetItem" {
			reads++
		}
		if operation == "GetItem" && reads <= 3 { // all attempts for the first task
			return storagetest.Fault{Kind: storagetest.ServerError}
		}
		return storagetest.Fault{}
	}}
	worker := r.over(r.Role.WithFaults(faults))
	if !r.wakeIn(t.Context(), t, worker, ids...) {
		t.Error("what could not be read was not handed back")
	}
	states := []task.State{r.task(t, ids[0]).State, r.task(t, ids[1]).State}
	slices.Sort(states)
	if !slices.Equal(states, []task.State{task.Completed, task.Pending}) {
		t.Errorf("states %v", states)
	}
	reads = 0
	r.start(t, "github", "42")
	if _, err := worker.Handle(t.Context(), []byte(`{}`)); err == nil {
		t.Error("the schedule's run tells of no failure")
	}
	r.settle(t)
	for _, id := range ids {
		if got := r.task(t, id); got.State != task.Completed {
			t.Errorf("task %+v", got)
		}
	}
}
