package runstore_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

func TestRunLivesFromCreationToCompletion(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	c := creation(run.Plan, dirs("net", "app"))
	want := create(t, s, c, 0)
	check := func(step string, lists map[runstore.List]time.Duration) {
		t.Helper()
		got, err := s.Get(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got\n%+v, want\n%+v", step, got, want)
		}
		if found := active(t, s); found[want.ID] != want.State {
			t.Errorf("%s: the row among the active runs is %q, want %q", step, found[want.ID], want.State)
		}
		for _, list := range []runstore.List{runstore.CreatingList, runstore.DispatchList, runstore.StartList, runstore.ReportList} {
			after, ok := lists[list]
			if found := due(t, s, list, after-time.Millisecond); ok && len(found) != 0 {
				t.Errorf("%s: due too early in %s", step, list)
			}
			if found := due(t, s, list, 1000*time.Hour); slices.Contains(found, want.ID) != ok {
				t.Errorf("%s: in %s: %t, want %t", step, list, !ok, ok)
			}
		}
	}
	if want.Seq != 1 || want.State != run.Queued || want.DirspaceCount != 2 || !want.CreatedAt.Equal(born) {
		t.Errorf("created %+v", want)
	}
	check("created", map[runstore.List]time.Duration{runstore.DispatchList: time.Minute})

	want = claim(t, s, want.ID, time.Second)
	if want.Dispatch.Attempt != 1 || !want.Dispatch.Lease.Equal(born.Add(time.Second+lease)) {
		t.Errorf("claimed %+v", want.Dispatch)
	}
	check("claimed", map[runstore.List]time.Duration{runstore.DispatchList: time.Second + lease})

	var err error
	if want, err = s.Dispatched(t.Context(), want, runstore.HostRun{ID: "900", URL: "https://host/900"}, at(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	check("dispatched", map[runstore.List]time.Duration{runstore.StartList: 2*time.Second + 2*time.Minute})

	i, err := s.Initiate(t.Context(), want.ID, job("900"), at(time.Minute))
	if err != nil || !i.Work || i.Aborted || !bytes.Equal(i.Manifest.Body, c.Manifest.Body) || string(i.Sealed) != "sealed" {
		t.Fatalf("initiate: %+v, %v", i, err)
	}
	want = i.Run
	if want.State != run.Running || want.CIRun != "900" || !want.StartedAt.Equal(born.Add(time.Minute)) {
		t.Errorf("running %+v", want)
	}
	check("running", map[runstore.List]time.Duration{runstore.ReportList: time.Minute + runstore.NextLook})

	result := run.Result{Outcomes: []run.Outcome{run.HasResult | run.Succeeded | run.PlanStored | run.HasChanges, run.HasResult}, Steps: 7, Payload: "p", Gates: "g"}
	completion, err := s.Complete(t.Context(), want.ID, result, at(time.Hour))
	if err != nil || completion.Repeated {
		t.Fatalf("complete: %+v, %v", completion, err)
	}
	want = completion.Run
	if want.State != run.Completed || !want.EndedAt.Equal(born.Add(time.Hour)) || !reflect.DeepEqual(*want.Result, result) {
		t.Errorf("completed %+v", want)
	}
	check("completed", nil)

	if found, err := s.ByCIRun(t.Context(), repository, "900"); err != nil || found.ID != want.ID {
		t.Errorf("by CI run: %s, %v", found.ID, err)
	}
	if b, err := s.Bearer(t.Context(), want.ID); err != nil || string(b.Hash) != "hash" || b.State != run.Completed || b.Installation != repository.Installation {
		t.Errorf("bearer: %+v, %v", b, err)
	}
	if found, err := s.Many(t.Context(), []run.ID{want.ID, run.NewID()}); err != nil || len(found) != 1 || !reflect.DeepEqual(found[want.ID], want) {
		t.Errorf("many: %+v, %v", found, err)
	}
}

func TestUnknownRunsAreNotFound(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ctx, id := t.Context(), run.NewID()
	_, get := s.Get(ctx, id)
	_, bearer := s.Bearer(ctx, id)
	_, link := s.ByCIRun(ctx, repository, "1")
	_, initiate := s.Initiate(ctx, id, job("1"), at(0))
	_, complete := s.Complete(ctx, id, done(1), at(0))
	_, _, abort := s.Abort(ctx, id, runstore.Abortion{}, at(0))
	_, dispatched := s.Dispatched(ctx, run.Run{Spec: run.Spec{ID: id}}, runstore.HostRun{}, at(0))
	for name, err := range map[string]error{
		"get": get, "bearer": bearer, "by CI run": link, "initiate": initiate, "complete": complete, "abort": abort, "dispatched": dispatched,
	} {
		if !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: got %v, want %v", name, err, fault.ErrNotFound)
		}
	}
	if err := s.Remove(ctx, id, nil, at(0)); err != nil {
		t.Errorf("remove: %v", err)
	}
	if _, ok, err := s.Claim(ctx, repository, lease, at(0)); ok || err != nil {
		t.Errorf("claim: %t, %v", ok, err)
	}
}

// TestNobodySeesARunBeforeItIsQueued looks at a run from the call that writes its
// other parts.
func TestNobodySeesARunBeforeItIsQueued(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	c := creation(run.Apply, dirs("net"))
	c.Before = func(context.Context) error {
		_, get := s.Get(t.Context(), c.Spec.ID)
		_, bearer := s.Bearer(t.Context(), c.Spec.ID)
		_, initiate := s.Initiate(t.Context(), c.Spec.ID, job("1"), at(0))
		_, complete := s.Complete(t.Context(), c.Spec.ID, done(1), at(0))
		_, _, abort := s.Abort(t.Context(), c.Spec.ID, runstore.Abortion{}, at(0))
		for name, err := range map[string]error{"get": get, "bearer": bearer, "initiate": initiate, "complete": complete, "abort": abort} {
			if !errors.Is(err, fault.ErrNotFound) {
				t.Errorf("%s: got %v, want %v", name, err, fault.ErrNotFound)
			}
		}
		if found, err := s.Many(t.Context(), []run.ID{c.Spec.ID}); err != nil || len(found) != 0 {
			t.Errorf("many: %v, %v", found, err)
		}
		if _, ok, err := s.Claim(t.Context(), repository, lease, at(0)); ok || err != nil {
			t.Errorf("claim: %t, %v", ok, err)
		}
		if got := due(t, s, runstore.CreatingList, time.Hour); !slices.Equal(got, []run.ID{c.Spec.ID}) {
			t.Errorf("unfinished: %v", got)
		}
		return nil
	}
	create(t, s, c, 0)
	claim(t, s, c.Spec.ID, 0)
}

func TestRunThatCannotBeIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	for name, change := range map[string]func(*runstore.Creation){
		"no manifest":       func(c *runstore.Creation) { c.Manifest = runstore.Manifest{} },
		"two manifests":     func(c *runstore.Creation) { c.Manifest.Object = "manifests/x" },
		"large manifest":    func(c *runstore.Creation) { c.Manifest.Body = make([]byte, runstore.MaxManifest+1) },
		"no dirspaces":      func(c *runstore.Creation) { c.Spec.Dirspaces = nil },
		"dirspace twice":    func(c *runstore.Creation) { c.Spec.Dirspaces = dirs("net", "net") },
		"unknown type":      func(c *runstore.Creation) { c.Spec.Type = "destroy" },
		"long environment":  func(c *runstore.Creation) { c.Spec.Environment = strings.Repeat("x", run.MaxText+1) },
		"id that is no id":  func(c *runstore.Creation) { c.Spec.ID = "1" },
		"unknown host":      func(c *runstore.Creation) { c.Spec.Repository.Installation.VCS = "svn" },
		"no principal":      func(c *runstore.Creation) { c.Spec.Principal = "" },
		"dir not in a form": func(c *runstore.Creation) { c.Spec.Dirspaces = dirs("./net") },
	} {
		c := creation(run.Plan, dirs("net"))
		change(&c)
		if made, err := s.Create(t.Context(), c, at(0)); err == nil {
			t.Errorf("%s: created %+v", name, made)
		}
	}
	if text := env.Dump("RunsTable"); text != "" {
		t.Errorf("items were left:\n%s", text)
	}
}

func TestIdCannotBeUsedTwice(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	c := creation(run.Plan, dirs("net"))
	first := create(t, s, c, 0)
	c.Spec.Dirspaces = dirs("other")
	if made, err := s.Create(t.Context(), c, at(0)); err == nil {
		t.Errorf("created %+v", made)
	}
	if got, err := s.Get(t.Context(), first.ID); err != nil || !reflect.DeepEqual(got, first) {
		t.Errorf("the first run became %+v, %v", got, err)
	}
}

func TestManifestMayBeAnObject(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	c := creation(run.Plan, dirs("net"))
	name := runstore.ManifestObject(c.Spec.ID)
	c.Manifest = runstore.Manifest{Object: name}
	id := create(t, s, c, 0).ID
	claim(t, s, id, 0)
	if i, err := s.Initiate(t.Context(), id, job("1"), at(0)); err != nil || i.Manifest.Object != name || i.Manifest.Body != nil {
		t.Errorf("got %+v, %v", i.Manifest, err)
	}
	// No removal would find another object.
	other := creation(run.Plan, dirs("net"))
	other.Manifest = c.Manifest
	if made, err := s.Create(t.Context(), other, at(0)); err == nil {
		t.Errorf("created %+v", made)
	}
}

func TestBuilderHasNoDirspaces(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	id := create(t, s, creation(run.BuildTree, nil), 0).ID
	start(t, s, id, "1", 0)
	if c, err := s.Complete(t.Context(), id, run.Result{Success: true}, at(0)); err != nil || c.Run.Result == nil || !c.Run.Result.Success {
		t.Errorf("got %+v, %v", c.Run, err)
	}
	if got, err := s.Get(t.Context(), id); err != nil || got.Result == nil || len(got.Dirspaces) != 0 || got.Result.Outcomes != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}
