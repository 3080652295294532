//go:build unix

package journey

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runtoken"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Run is a run with the token of its runner.
type Run struct {
	ID    run.ID
	Token string
}

// Commit is the commit for which runs of these tests are made.
const Commit = "73e3d2f426ea2670d37c4d6b146f0e20cbc65399"

// runs opens the store of the stack's runs.
func (s *Stack) runs(t testing.TB) runstore.Store {
	t.Helper()
	db, tables, err := s.storage()
	if err != nil {
		t.Fatal(err)
	}
	return runstore.Store{DB: db, Table: tables["RunsTable"], Limits: runstore.Limits{Keep: 24 * time.Hour, Start: 15 * time.Minute, Report: time.Hour}}
}

// creation returns a creation of a plan of the directory net.
func (s *Stack) creation(t testing.TB, in Installation) (runstore.Creation, Run) {
	t.Helper()
	of := vcs.Installation{VCS: vcs.VCS(in.VCS), ID: vcs.ID(in.ID)}
	made, main, net := Run{ID: run.NewID()}, run.Ref{Branch: "main", Commit: Commit}, run.Dirspace{Dir: "net", Workspace: "default"}
	made.Token = runtoken.New(made.ID)
	sealed, err := s.box(t).Seal(t.Context(), runtoken.Place(made.ID), []byte(made.Token))
	if err != nil {
		t.Fatal(err)
	}
	document, err := manifest.Build(manifest.Work{
		Type: run.Plan, Installation: of, Kind: run.Kind{Name: run.Branch}, BaseBranch: "main", APIBase: s.URL + "/api", Dirspaces: []manifest.Dirspace{{Dirspace: net}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return runstore.Creation{
		Spec: run.Spec{
			ID: made.ID, Repository: of.Repository(vcs.ID(NewID())), Owner: "journey", Name: "infra", Type: run.Plan, Kind: run.Kind{Name: run.Branch},
			Base: main, Source: main, Principal: operator(time.Now()).Principal, Dirspaces: []run.Dirspace{net},
		},
		Token: runstore.Token{Hash: runtoken.Digest(made.Token), Sealed: sealed}, Manifest: runstore.Manifest{Body: document},
	}, made
}

// Run makes a queued run of an installation, in a repository of its own. Its dispatch is
// claimed, so that a runner may ask for the work.
func (s *Stack) Run(t testing.TB, in Installation) Run {
	t.Helper()
	c, made := s.creation(t, in)
	runs := s.runs(t)
	if _, err := runs.Create(t.Context(), c, operator(time.Now())); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := runs.Claim(t.Context(), c.Spec.Repository, time.Hour, operator(time.Now())); err != nil || !ok {
		t.Fatalf("claim: %t, %v", ok, err)
	}
	return made
}

// UnfinishedRun makes a run whose creation ends before anybody can see the run.
func (s *Stack) UnfinishedRun(t testing.TB, in Installation) Run {
	t.Helper()
	c, made := s.creation(t, in)
	stop := errors.New("stop")
	c.Before = func(context.Context) error { return stop }
	if _, err := s.runs(t).Create(t.Context(), c, operator(time.Now())); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	return made
}

// AbortRun ends a run without results.
func (s *Stack) AbortRun(t testing.TB, id run.ID) {
	t.Helper()
	if _, ok, err := s.runs(t).Abort(t.Context(), id, runstore.Abortion{Reason: run.ReasonByPerson("journey")}, operator(time.Now())); err != nil || !ok {
		t.Fatalf("abort: %t, %v", ok, err)
	}
}
