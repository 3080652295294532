package main

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// ofPull queues a run of a pull request.
func (r *rig) ofPull(t testing.TB, number int64, of run.Type) run.ID {
	t.Helper()
	s := run.Spec{
		ID: run.NewID(), Repository: infraRepository, Owner: "acme", Name: "infra", Type: of, Kind: run.Kind{Name: run.PullRequest, Number: number},
		Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"}, Principal: "ann",
		Dirspaces: []run.Dirspace{{Dir: "a", Workspace: "default"}},
	}
	_, err := r.runs.Create(t.Context(), runstore.Creation{
		Spec: s, Token: runstore.Token{Hash: []byte("h"), Sealed: []byte("s")}, Manifest: runstore.Manifest{Body: []byte("{}")},
	}, r.author())
	if err != nil {
		t.Fatal(err)
	}
	return s.ID
}

// planned makes a run of a pull request that has stored a plan and has ended.
func (r *rig) planned(t testing.TB, number int64) run.ID {
	t.Helper()
	id := r.ofPull(t, number, run.Plan)
	for _, plan := range []string{"first", "second"} {
		if err := r.plans.Put(t.Context(), id, run.Dirspace{Dir: "a", Workspace: "default"}, []byte(plan), true, r.Clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := r.runs.Abort(t.Context(), id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, r.author()); err != nil {
		t.Fatal(err)
	}
	return id
}

// close does what the worker does when it learns that a pull request was closed.
func (r *rig) close(t testing.TB, number int64, at time.Time) {
	t.Helper()
	rows := table.Table{DB: r.Env.DynamoDB, Name: r.Env.Table("RunsTable")}
	if err := rows.Transact(t.Context(), r.runs.WriteClosed(infraRepository, number, at)); err != nil {
		t.Fatal(err)
	}
}

// left returns how many plans a run has, and how many objects.
func (r *rig) left(t testing.TB, id run.ID) (plans, objects int) {
	t.Helper()
	found, err := r.plans.Of(t.Context(), id, r.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	bucket, prefix := r.Env.Bucket("RunsBucket"), "plans/"+string(id)+"/"
	list, err := r.Env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	if err != nil {
		t.Fatal(err)
	}
	return len(found), len(list.Contents)
}

func (r *rig) wantPlans(t testing.TB, id run.ID, want bool) {
	t.Helper()
	if plans, objects := r.left(t, id); plans > 0 != want || objects > 0 != want {
		t.Errorf("run %s has %d plans and %d objects, want some: %t", id, plans, objects, want)
	}
}

func TestPlansOfAClosedPullRequestAreRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	older, newer, other := r.planned(t, 17), r.planned(t, 17), r.planned(t, 18)
	closed := r.Clock.Now()
	r.Clock.Add(2 * time.Second)
	again := r.planned(t, 17) // after it was opened again
	r.close(t, 17, closed)
	r.close(t, 18, closed.Add(time.Hour))
	for range 2 {
		r.minute(t)
		for id, want := range map[run.ID]bool{older: false, newer: false, again: true, other: true} {
			r.wantPlans(t, id, want)
		}
	}
	if found, err := r.runs.ClosedDue(t.Context(), r.Clock.Now(), 10); err != nil || len(found) > 0 {
		t.Errorf("due is %+v, %v", found, err)
	}
	r.Clock.Add(time.Hour)
	r.minute(t)
	r.wantPlans(t, other, false)
}

func TestPlansStayWhileARunOfTheirPullRequestIsActive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, apply := r.planned(t, 17), r.ofPull(t, 17, run.Apply)
	r.close(t, 17, r.Clock.Now())
	r.minute(t)
	r.wantPlans(t, id, true)
	if _, _, err := r.runs.Abort(t.Context(), apply, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, r.author()); err != nil {
		t.Fatal(err)
	}
	r.Clock.Add(10 * time.Minute)
	r.minute(t)
	r.wantPlans(t, id, false)
}

// TestRemovalOfPlansGoesOnAfterACrash ends the sweep at each of its calls, in turn. The next
// sweep removes what is left.
func TestRemovalOfPlansGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var calls, last atomic.Int64 // no call works after the last one; 0: all work
	r.Faults.Choose = func(string) storagetest.Fault {
		if n := last.Load(); n > 0 && calls.Add(1) >= n {
			return storagetest.Fault{Kind: storagetest.Refuse}
		}
		return storagetest.Fault{}
	}
	number := int64(100)
	for nth, more := int64(1), true; more; nth++ {
		number++
		ids := []run.ID{r.planned(t, number), r.planned(t, number)}
		r.close(t, number, r.Clock.Now())
		r.Clock.Add(time.Minute)
		calls.Store(0)
		last.Store(nth)
		_, err := r.handle(t.Context(), []byte(`{"source":"aws.events"}`))
		more = err != nil
		last.Store(0)
		r.minute(t)
		for _, id := range ids {
			r.wantPlans(t, id, false)
		}
		if found, err := r.runs.ClosedDue(t.Context(), r.Clock.Now(), 10); err != nil || len(found) > 0 {
			t.Errorf("crash at call %d: due is %+v, %v", nth, found, err)
		}
	}
}
