package runstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

// born is the time of the tests. It lies in the future, so that nothing expires.
var born = time.Unix(4_000_000_000, 0).UTC()

// lease is the lease of claims in the tests.
const lease = 2 * time.Minute

var repository = vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7")

// at returns the author of a new request, some time after born.
func at(after time.Duration) change.Author {
	return change.Author{Principal: "ann", Credential: "key", Source: "192.0.2.1", Request: uuid.NewString(), At: born.Add(after)}
}

// over returns the store over an environment.
func over(env *storagetest.Env) runstore.Store {
	return runstore.Store{
		DB: env.DynamoDB, Table: env.Table("RunsTable"),
		Limits: runstore.Limits{Keep: 90 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour},
	}
}

func open(t *testing.T) (*storagetest.Env, runstore.Store) {
	env := storagetest.New(t)
	return env, over(env)
}

// dirs returns dirspaces of the workspace "default".
func dirs(names ...string) []run.Dirspace {
	list := make([]run.Dirspace, len(names))
	for i, name := range names {
		list[i] = run.Dirspace{Dir: name, Workspace: "default"}
	}
	return list
}

// many returns n dirspaces of 40 directories. Each directory has a row of the index.
func many(n int) []run.Dirspace {
	list := make([]run.Dirspace, n)
	for i := range list {
		list[i] = run.Dirspace{Dir: fmt.Sprintf("accounts/team-%02d", i%40), Workspace: fmt.Sprintf("production-%05d", i)}
	}
	return list
}

// spaces returns n dirspaces of one directory.
func spaces(n int) []run.Dirspace {
	list := make([]run.Dirspace, n)
	for i := range list {
		list[i] = run.Dirspace{Dir: "accounts", Workspace: fmt.Sprintf("production-%05d-of-the-service", i)}
	}
	return list
}

// directories returns n dirspaces of as many directories.
func directories(n int) []run.Dirspace {
	list := make([]run.Dirspace, n)
	for i := range list {
		list[i] = run.Dirspace{Dir: fmt.Sprintf("accounts/team-%02d/service-%05d", i%40, i), Workspace: "production"}
	}
	return list
}

// creation returns a creation of a run of pull request 17.
func creation(of run.Type, list []run.Dirspace) runstore.Creation {
	return runstore.Creation{
		Spec: run.Spec{
			ID: run.NewID(), Repository: repository, Owner: "acme", Name: "infra", Type: of,
			Kind: run.Kind{Name: run.PullRequest, Number: 17, Title: "Add bucket"},
			Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"},
			Environment: "prod", RunsOn: `"ubuntu"`, TagQuery: "dir:net", User: "ann", Principal: "ann", Dirspaces: list,
		},
		Token:    runstore.Token{Hash: []byte("hash"), Sealed: []byte("sealed")},
		Manifest: runstore.Manifest{Body: []byte(`{"type":"plan"}`)},
	}
}

// create creates a run and returns it.
func create(t *testing.T, s runstore.Store, c runstore.Creation, after time.Duration) run.Run {
	t.Helper()
	made, err := s.Create(t.Context(), c, at(after))
	if err != nil || made.Existing {
		t.Fatalf("create: %+v, %v", made, err)
	}
	return made.Run
}

// claim claims the next run and fails the test unless it is the one that is wanted.
func claim(t *testing.T, s runstore.Store, want run.ID, after time.Duration) run.Run {
	t.Helper()
	got, ok, err := s.Claim(t.Context(), repository, lease, at(after))
	if err != nil || !ok || got.ID != want {
		t.Fatalf("claimed %s, %t, %v; want %s", got.ID, ok, err, want)
	}
	return got
}

// job is a CI job with the commit of creation.
func job(id string) runstore.CIJob {
	return runstore.CIJob{Run: id, Commit: "bb", URL: "https://host/" + id}
}

// start claims a run, dispatches it, and lets CI run "1" ask for its work.
func start(t *testing.T, s runstore.Store, id run.ID, ciRun string, after time.Duration) run.Run {
	t.Helper()
	got := claim(t, s, id, after)
	if _, err := s.Dispatched(t.Context(), got, runstore.HostRun{ID: ciRun}, at(after)); err != nil {
		t.Fatal(err)
	}
	found, err := s.Initiate(t.Context(), id, job(ciRun), at(after))
	if err != nil || !found.Work {
		t.Fatalf("initiate: %+v, %v", found, err)
	}
	return found.Run
}

// done returns a result in which every dirspace has succeeded.
func done(n int) run.Result {
	r := run.Result{Outcomes: make([]run.Outcome, n), Success: true, Steps: 3 * n, Payload: "results/x"}
	for i := range r.Outcomes {
		r.Outcomes[i] = run.HasResult | run.Succeeded
	}
	return r
}

// state returns the state of a run.
func state(t *testing.T, s runstore.Store, id run.ID) run.State {
	t.Helper()
	r, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.State
}

// due returns the ids of a list that are due at a time.
func due(t *testing.T, s runstore.Store, list runstore.List, after time.Duration) []run.ID {
	t.Helper()
	found, err := s.Due(t.Context(), list, born.Add(after), 100)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]run.ID, len(found))
	for i, d := range found {
		ids[i] = d.ID
	}
	return ids
}

// active returns the states of the active runs of the repository.
func active(t *testing.T, s runstore.Store) map[run.ID]run.State {
	t.Helper()
	rows, err := s.Active(t.Context(), repository)
	if err != nil {
		t.Fatal(err)
	}
	found := map[run.ID]run.State{}
	for _, a := range rows {
		found[a.ID] = a.State
	}
	return found
}
