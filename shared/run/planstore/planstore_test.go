package planstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

// born is the time of the tests. It lies in the future, so that nothing expires.
var born = time.Unix(4_000_000_000, 0).UTC()

const keep = 14 * 24 * time.Hour

var (
	net  = run.Dirspace{Dir: "net", Workspace: "default"}
	app  = run.Dirspace{Dir: "app", Workspace: "default"}
	repo = vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7")
)

type rig struct {
	env   *storagetest.Env
	plans planstore.Store
	runs  runstore.Store
}

func newRig(t *testing.T, env *storagetest.Env) rig {
	return rig{
		env:   env,
		plans: planstore.Store{DB: env.DynamoDB, Objects: env.S3, Table: env.Table("RunsTable"), Bucket: env.Bucket("RunsBucket"), Keep: keep},
		runs: runstore.Store{DB: env.DynamoDB, Table: env.Table("RunsTable"), Limits: runstore.Limits{
			Keep: 90 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour,
		}},
	}
}

func author() change.Author {
	return change.Author{Principal: "ann", Credential: "key", Source: "192.0.2.1", Request: uuid.NewString(), At: born}
}

// create makes a run that is queued. early is called while it is being created.
func (r rig) create(t *testing.T, of run.Type, early func(run.ID) error) run.ID {
	t.Helper()
	id := run.NewID()
	c := runstore.Creation{
		Spec: run.Spec{
			ID: id, Repository: repo, Owner: "acme", Name: "infra", Type: of, Kind: run.Kind{Name: run.PullRequest, Number: 17},
			Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"}, Principal: "ann",
			Dirspaces: run.SortDirspaces([]run.Dirspace{net, app}),
		},
		Token: runstore.Token{Hash: []byte("hash"), Sealed: []byte("sealed")}, Manifest: runstore.Manifest{Body: []byte("{}")},
	}
	if early != nil {
		c.Before = func(context.Context) error { return early(id) }
	}
	if _, err := r.runs.Create(t.Context(), c, author()); err != nil {
		t.Fatal(err)
	}
	return id
}

func (r rig) put(t *testing.T, id run.ID, d run.Dirspace, plan string, changes bool) {
	t.Helper()
	if err := r.plans.Put(t.Context(), id, d, []byte(plan), changes, born); err != nil {
		t.Fatal(err)
	}
}

// read returns the bytes of the plan that an apply uses for a dirspace.
func (r rig) read(t *testing.T, apply run.ID, d run.Dirspace, now time.Time) ([]byte, error) {
	t.Helper()
	chosen, err := r.plans.Chosen(t.Context(), apply, d, now)
	if err != nil {
		return nil, err
	}
	return r.plans.Read(t.Context(), chosen)
}

// uses returns the uses of all plans of a run.
func (r rig) uses(t *testing.T, plan run.ID) []planstore.Use {
	t.Helper()
	found, err := r.plans.Of(t.Context(), plan, born)
	if err != nil {
		t.Fatal(err)
	}
	var uses []planstore.Use
	for _, p := range found {
		uses = append(uses, planstore.Use{Dirspace: p.Dirspace, Plan: plan, Digest: p.Digest})
	}
	return uses
}

func TestApplyReadsThePlansThatWereChosenForIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, storagetest.New(t))
	plan := r.create(t, run.Plan, nil)
	r.put(t, plan, net, "first", false)
	r.put(t, plan, net, "second\x00\xff", true)
	r.put(t, plan, app, "third", false)
	found, err := r.plans.Of(t.Context(), plan, born)
	if err != nil || len(found) != 2 {
		t.Fatalf("got %+v, %v", found, err)
	}
	for _, p := range found {
		if p.HasChanges != (p.Dirspace == net) || !p.ExpiresAt.Equal(born.Add(keep)) || p.Size == 0 {
			t.Errorf("got %+v", p)
		}
	}
	uses := r.uses(t, plan)
	apply := r.create(t, run.Apply, func(id run.ID) error {
		return r.plans.Choose(t.Context(), id, uses, born.Add(keep))
	})
	for range 2 { // a response can be lost
		for d, want := range map[run.Dirspace]string{net: "second\x00\xff", app: "third"} {
			if got, err := r.read(t, apply, d, born); err != nil || string(got) != want {
				t.Errorf("%s: got %q, %v", d, got, err)
			}
		}
	}
	for name, read := range map[string]func() ([]byte, error){
		"dirspace of another run": func() ([]byte, error) {
			return r.read(t, apply, run.Dirspace{Dir: "net", Workspace: "prod"}, born)
		},
		"the plan's own run": func() ([]byte, error) { return r.read(t, plan, net, born) },
		"expired":            func() ([]byte, error) { return r.read(t, apply, net, born.Add(keep)) },
	} {
		if got, err := read(); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	r.put(t, plan, net, "changed after the apply was created", true)
	if got, err := r.read(t, apply, net, born); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a plan that was not shown is applied: %q, %v", got, err)
	}
}

func TestPlanIsRefusedUnlessItsRunIsActive(t *testing.T) {
	t.Parallel()
	r := newRig(t, storagetest.New(t))
	id := r.create(t, run.Plan, nil)
	r.put(t, id, net, "plan", true)
	if _, _, err := r.runs.Abort(t.Context(), id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, author()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []run.ID{id, run.NewID()} {
		if err := r.plans.Put(t.Context(), id, net, []byte("late"), true, born); !errors.Is(err, planstore.ErrInactive) {
			t.Errorf("got %v", err)
		}
	}
	if found := r.uses(t, id); len(found) != 1 {
		t.Errorf("the run has the plans %+v", found)
	}
}

func TestManyPlansAreChosen(t *testing.T) {
	t.Parallel()
	r := newRig(t, storagetest.New(t))
	plan := run.NewID()
	want := make([]planstore.Use, run.MaxDirspaces/4)
	for i := range want {
		want[i] = planstore.Use{
			Dirspace: run.Dirspace{Dir: strings.Repeat("d", run.MaxDir-5) + fmt.Sprintf("%05d", i), Workspace: strings.Repeat("w", run.MaxWorkspace)},
			Plan:     plan, Digest: strings.Repeat(fmt.Sprintf("%04x", i%65536), 16),
		}
	}
	apply := run.NewID()
	for range 2 {
		if err := r.plans.Choose(t.Context(), apply, want, born.Add(keep)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.plans.Uses(t.Context(), apply)
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %d uses, %v, want %d", len(got), err, len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("use %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

func (r rig) objects(t *testing.T) int {
	t.Helper()
	out, err := r.env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(r.plans.Bucket)})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Contents)
}

func TestUsedPlansAreRemovedWithTheirBytes(t *testing.T) {
	t.Parallel()
	r := newRig(t, storagetest.New(t))
	plan := r.create(t, run.Plan, nil)
	r.put(t, plan, net, "a", true)
	r.put(t, plan, app, "b", true)
	uses := r.uses(t, plan)
	apply := r.create(t, run.Apply, func(id run.ID) error { return r.plans.Choose(t.Context(), id, uses[:1], born.Add(keep)) })
	for range 2 {
		if err := r.plans.RemoveUsed(t.Context(), apply); err != nil {
			t.Fatal(err)
		}
		if left := r.uses(t, plan); len(left) != 1 || left[0] != uses[1] || r.objects(t) != 1 {
			t.Errorf("left are %+v and %d objects", left, r.objects(t))
		}
	}
	if got, err := r.read(t, apply, uses[0].Dirspace, born); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAllPlansOfARunAreRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t, storagetest.New(t))
	id, other := r.create(t, run.Plan, nil), r.create(t, run.Plan, nil)
	for _, plan := range []string{"a", "b", "c"} { // two objects that no item names
		r.put(t, id, net, plan, true)
	}
	r.put(t, other, net, "other", true)
	for range 2 {
		if err := r.plans.Remove(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if n := r.objects(t); n != 1 || len(r.uses(t, id)) != 0 || len(r.uses(t, other)) != 1 {
			t.Errorf("%d objects are left, and the plans %+v and %+v", n, r.uses(t, id), r.uses(t, other))
		}
	}
}

// TestPlanThatWasTakenIsThere lets calls of an upload fail or lose their response. A
// plan that was not refused must be there, with its own bytes.
func TestPlanThatWasTakenIsThere(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	honest := newRig(t, env)
	id := honest.create(t, run.Plan, nil)
	taken := 0
	for _, operation := range []string{"s3:PUT", "TransactWriteItems"} {
		for _, kind := range []storagetest.Kind{storagetest.LoseAnswer, storagetest.LoseRequest, storagetest.ServerError, storagetest.Throttle, storagetest.Duplicate} {
			faults := &storagetest.Faults{}
			faulty := newRig(t, env.WithFaults(faults))
			faults.Add(storagetest.Fault{Operation: operation, Nth: 1, Kind: kind})
			plan := fmt.Appendf(nil, "%s %d", operation, kind)
			if err := faulty.plans.Put(t.Context(), id, net, plan, true, born); err != nil {
				continue
			}
			taken++
			apply := run.NewID()
			if err := honest.plans.Choose(t.Context(), apply, honest.uses(t, id), born.Add(keep)); err != nil {
				t.Fatal(err)
			}
			if got, err := honest.read(t, apply, net, born); err != nil || !bytes.Equal(got, plan) {
				t.Errorf("%s, fault %d: got %q, %v", operation, kind, got, err)
			}
		}
	}
	if taken == 0 {
		t.Error("no upload survived its fault")
	}
}
