package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

var infraRepository = vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7")

func runsOver(env *storagetest.Env) runstore.Store {
	return runstore.Store{
		DB: env.DynamoDB, Table: env.Table("RunsTable"),
		Limits: runstore.Limits{Keep: 24 * time.Hour, Start: time.Minute, Report: time.Hour},
	}
}

func creation(of run.Type, names ...string) runstore.Creation {
	spec := run.Spec{
		ID: run.NewID(), Repository: infraRepository, Owner: "acme", Name: "infra", Type: of,
		Kind: run.Kind{Name: run.PullRequest, Number: 17, Title: "Add bucket"}, Environment: "production",
		Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"}, User: "Ann", Principal: "ann",
	}
	for _, name := range names {
		spec.Dirspaces = append(spec.Dirspaces, run.Dirspace{Dir: name, Workspace: "default"})
	}
	return runstore.Creation{
		Spec: spec, Manifest: runstore.Manifest{Body: []byte(`{"secret":"planted"}`)},
		Token: runstore.Token{Hash: []byte("planted-hash"), Sealed: []byte("planted-seal")},
	}
}

// named returns an author with another principal.
func named(principal, request string) change.Author {
	a := by(request)
	a.Principal = principal
	return a
}

// fresh delivers to the auditor what has happened since, and returns the new records.
func (r *rig) fresh(t *testing.T) []audit.Record {
	t.Helper()
	known := len(r.all(t))
	return r.told(t)[known:]
}

// TestRunIsInTheTrailFromItsQueueToItsRemoval checks who did what with runs, and that
// records of runs show nothing secret.
func TestRunIsInTheTrailFromItsQueueToItsRemoval(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	runs := runsOver(r.Env)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	apply, plan := creation(run.AutoApply, "net", "vm"), creation(run.Plan, "db")
	apply.Before = func(context.Context) error { // nobody sees the run yet
		if got := r.fresh(t); len(got) != 0 {
			t.Errorf("while the run is created: %v", got)
		}
		return nil
	}
	for i, c := range []runstore.Creation{apply, plan} { // the first one finds an empty trail
		_, err := runs.Create(t.Context(), c, by(strconv.Itoa(i+1)))
		must(err)
	}
	check := func(want ...string) []audit.Record {
		t.Helper()
		got := r.fresh(t)
		var lines []string
		for _, g := range got {
			lines = append(lines, g.Action+" "+g.Subject+" by "+g.Actor.ID)
			if g.VCS != "github" || g.Installation != "42" {
				t.Errorf("%s belongs to %s", g.Action, g.Scope())
			}
		}
		slices.Sort(lines)
		slices.Sort(want)
		if !slices.Equal(lines, want) {
			t.Fatalf("got %q, want %q", lines, want)
		}
		return got
	}
	first, second := string(apply.Spec.ID), string(plan.Spec.ID)
	created := check("run.create "+first+" by ann", "run.create "+second+" by ann")
	at := slices.IndexFunc(created, func(r audit.Record) bool { return r.Subject == first })
	want := map[string]any{
		"state": "queued", "repository": "7", "owner": "acme", "name": "infra", "type": "apply", "kind": "pr", "pull_number": 17.0,
		"base_branch": "main", "branch": "feature", "commit": "bb", "environment": "production", "user": "Ann", "dirspaces": 2.0,
	}
	if got := created[at]; got.Before != nil || !maps.Equal(got.After, want) {
		t.Errorf("got %v -> %v, want %v", got.Before, got.After, want)
	}

	claimed, ok, err := runs.Claim(t.Context(), infraRepository, time.Minute, named("server", "3"))
	if must(err); !ok || claimed.ID != apply.Spec.ID {
		t.Fatalf("claimed %s", claimed.ID)
	}
	check() // what the dispatcher notes is housekeeping
	_, err = runs.Dispatched(t.Context(), claimed, runstore.HostRun{ID: "900"}, named("server", "4"))
	must(err)
	_, err = runs.Initiate(t.Context(), apply.Spec.ID, runstore.CIJob{Run: "900", Commit: "bb", URL: "https://host/900"}, named("run:"+first, "5"))
	must(err)
	started := check("run.start " + first + " by run:" + first)
	if got := started[0]; !maps.Equal(got.Before, map[string]any{"state": "queued"}) || got.After["state"] != "running" || got.After["url"] != "https://host/900" {
		t.Errorf("got %v -> %v", got.Before, got.After)
	}
	_, err = runs.Complete(t.Context(), apply.Spec.ID, run.Result{
		Outcomes: []run.Outcome{run.HasResult | run.Succeeded | run.HasChanges | run.Destroys, run.HasResult}, Steps: 2, Payload: "results/x",
	}, named("run:"+first, "6"))
	must(err)
	ended := check("run.complete " + first + " by run:" + first)
	for name, want := range map[string]any{"state": "completed", "success": false, "dirspaces": 2.0, "failed": 1.0, "changed": 1.0, "destroying": 1.0} {
		if got := ended[0].After[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}

	_, err = runs.Unlock(t.Context(), infraRepository, run.OriginOfPullRequest(17), "Ben", named("ben", "7"))
	must(err)
	unlocked := check("lock.release 7#17 by ben", "run.abort "+second+" by ben")
	for _, got := range unlocked {
		switch {
		case got.Action == "lock.release" && !maps.Equal(got.After, map[string]any{"repository": "7", "kind": "pr", "pull_number": 17.0, "user": "Ben"}),
			got.Action == "run.abort" && got.After["reason"] != string(run.Unlocked):
			t.Errorf("%s shows %v", got.Action, got.After)
		}
	}
	must(runs.Remove(t.Context(), apply.Spec.ID, func(context.Context, run.Run) error {
		check("run.erase " + first + " by operator:eve") // between the mark and the removal
		return nil
	}, named("operator:eve", "8")))
	check()
	must(table.Table{DB: r.Env.DynamoDB, Name: r.Env.Table("RunsTable")}.Delete(t.Context(), runstore.Key(plan.Spec.ID)))
	check("run.remove " + second + " by " + audit.Unknown) // with AWS credentials
	for _, secret := range []string{"planted-hash", "planted-seal", `"secret"`} {
		for _, got := range r.all(t) {
			if text, err := json.Marshal(got); err != nil || strings.Contains(string(text), secret) {
				t.Errorf("%s shows %s, %v", got.Action, secret, err)
			}
		}
	}
}

// TestUnlocksNameWhatTheyFree covers the origins of runs that are no pull request.
func TestUnlocksNameWhatTheyFree(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for origin, want := range map[run.Origin]map[string]any{
		run.OriginOfDrift:               {"repository": "7", "kind": "drift", "user": "Ann"},
		run.OriginOfBranch("release#1"): {"repository": "7", "kind": "branch", "branch": "release#1", "user": "Ann"},
	} {
		if _, err := runsOver(r.Env).Unlock(t.Context(), infraRepository, origin, "Ann", by(string(origin))); err != nil {
			t.Fatal(err)
		}
		got := r.fresh(t)
		if len(got) != 1 || got[0].Action != "lock.release" || !maps.Equal(got[0].After, want) {
			t.Errorf("%s: got %+v, want %v", origin, got, want)
		}
	}
}

// TestPullRequestIsInTheTrailWhenItIsSeenAndWhenItChanges checks that facts which state
// nothing new leave no record.
func TestPullRequestIsInTheTrailWhenItIsSeenAndWhenItChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	name, in := r.Env.Table("VcsTable"), infraRepository.Installation
	repositories := repository.Store{DB: r.Env.DynamoDB, Table: name}
	store := pullrequest.Store{DB: r.Env.DynamoDB, Table: name}
	p := pullrequest.PullRequest{
		Repository: "7", Number: 17, Title: "Add bucket", User: "ann", State: pullrequest.Open, BaseBranch: "main", BaseSHA: "aa", Branch: "feature", SHA: "bb",
	}
	for i, c := range []struct {
		change func()
		want   []string
	}{
		{func() {}, []string{"pull_request.create"}},
		{func() {}, nil},
		{func() { p.BaseSHA = "ab" }, nil}, // the destination moves without the pull request
		{func() { p.SHA = "cc" }, []string{"pull_request.change"}},
		{func() { p.State, p.MergedSHA, p.MergedAt = pullrequest.Merged, "dd", born }, []string{"pull_request.change"}},
	} {
		c.change()
		version := vcs.Version(string(rune('1' + i)))
		author := named("webhook:github", string(version))
		if _, err := store.Apply(t.Context(), author, in, p, version, repositories.NotEmptied(infraRepository, version)); err != nil {
			t.Fatal(err)
		}
		got := r.fresh(t)
		var actions []string
		for _, g := range got {
			actions = append(actions, g.Action)
			if g.Subject != "7#17" || g.Actor.ID != "webhook:github" || g.After["sha"] != p.SHA || g.After["title"] != "Add bucket" || g.After["state"] != string(p.State) {
				t.Errorf("got %+v", g)
			}
		}
		if !slices.Equal(actions, c.want) {
			t.Errorf("change %d: got %q, want %q", i+1, actions, c.want)
		}
	}
	if _, err := store.Apply(t.Context(), by("x"), in, p, "9", repositories.NotEmptied(infraRepository, "9")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Erase(t.Context(), in, 10); err != nil {
		t.Fatal(err)
	}
	if got := r.fresh(t); len(got) != 0 {
		t.Errorf("a removal with the repository left %+v", got)
	}
}
