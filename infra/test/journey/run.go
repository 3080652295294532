//go:build unix

package journey

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runtoken"
	"github.com/opsplane/opsplane/shared/run/worktoken"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Run is a run with what its runner shows.
type Run struct {
	ID run.ID
	// Work is the work token, in the paths of the runner's requests. Token is the bearer token
	// that the manifest has.
	Work, Token string
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

// workToken returns the work token of a run.
func (s *Stack) workToken(t testing.TB, id run.ID) string {
	t.Helper()
	token, err := worktoken.New(sealed.Fixed([]byte(s.secret(t, "opsplane-serversecret")))).Of(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// creation returns a creation of a plan of the directory net.
func (s *Stack) creation(t testing.TB, in Installation) (runstore.Creation, Run) {
	t.Helper()
	of := vcs.Installation{VCS: vcs.VCS(in.VCS), ID: vcs.ID(in.ID)}
	made, main, net := Run{ID: run.NewID()}, run.Ref{Branch: "main", Commit: Commit}, run.Dirspace{Dir: "net", Workspace: "default"}
	made.Token, made.Work = runtoken.New(made.ID), s.workToken(t, made.ID)
	sealedToken, err := s.box(t).Seal(t.Context(), runtoken.Place(made.ID), []byte(made.Token))
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
			// Each run has a repository of its own, so that none waits for another.
			ID: made.ID, Repository: of.Repository(vcs.ID(NewID())), Owner: "journey", Name: "infra", Type: run.Plan, Kind: run.Kind{Name: run.Branch},
			Base: main, Source: main, Principal: operator(time.Now()).Principal, Dirspaces: []run.Dirspace{net},
		},
		Token: runstore.Token{Hash: runtoken.Digest(made.Token), Sealed: sealedToken}, Manifest: runstore.Manifest{Body: document},
	}, made
}

// Run makes a queued plan of an installation. Its dispatch is claimed, so that a runner may ask
// for the work.
func (s *Stack) Run(t testing.TB, in Installation) Run {
	t.Helper()
	return s.queue(t, func() (runstore.Creation, Run) { return s.creation(t, in) })
}

// queue creates a run and claims its dispatch. If the stack's dispatcher is first, it ends the
// run, because the host does not know the repository. Then queue creates another one.
func (s *Stack) queue(t testing.TB, draw func() (runstore.Creation, Run)) Run {
	t.Helper()
	runs := s.runs(t)
	for range 20 {
		c, made := draw()
		if _, err := runs.Create(t.Context(), c, operator(time.Now())); err != nil {
			t.Fatal(err)
		}
		_, ok, err := runs.Claim(t.Context(), c.Spec.Repository, time.Hour, operator(time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return made
		}
	}
	t.Fatal("the dispatcher is always first")
	return Run{}
}

// Texts that the runner of ApplyRun sends, and that no reader of the API may find.
const (
	SecretOfPlan   = "planted-in-a-plan-4c1f"
	SecretOfOutput = "planted-in-an-output-9b27"
)

// ApplyRun makes an apply that is running, with the plan of a run that its runner has completed.
// The runner does its part over HTTP.
func (s *Stack) ApplyRun(t testing.TB, in Installation) Run {
	t.Helper()
	plan := s.Run(t, in)
	data := base64.StdEncoding.EncodeToString([]byte(SecretOfPlan))
	s.Runner(t, in, plan, "POST", "/initiate", `{"run_id":"1","sha":"`+Commit+`"}`).Want(t, 200)
	s.Runner(t, in, plan, "POST", "/plans", `{"path":"net","workspace":"default","plan_data":"`+data+`"}`).Want(t, 200)
	s.Runner(t, in, plan, "PUT", "", `{"steps":[{"step":"tf/apply","success":true,"ignore_errors":false,"scope":{"type":"dirspace","dir":"net","workspace":"default"},
		"payload":{"text":"done","outputs":{"password":{"sensitive":true,"type":"string","value":"`+SecretOfOutput+`"}}}}]}`).Want(t, 200)
	return s.applyOf(t, in, plan)
}

// applyOf makes an apply that is running, with the plan that a run has stored.
func (s *Stack) applyOf(t testing.TB, in Installation, plan Run) Run {
	t.Helper()
	runs := s.runs(t)
	plans := planstore.Store{DB: runs.DB, Table: runs.Table, Keep: time.Hour}
	found, err := plans.Of(t.Context(), plan.ID, time.Now())
	if err != nil || len(found) != 1 {
		t.Fatalf("got the plans %+v, %v", found, err)
	}
	made := s.queue(t, func() (runstore.Creation, Run) {
		c, made := s.creation(t, in)
		c.Spec.Type = run.Apply
		c.Before = func(ctx context.Context) error {
			return plans.Choose(ctx, made.ID, []planstore.Use{{Dirspace: found[0].Dirspace, Plan: plan.ID, Digest: found[0].Digest}}, time.Now().Add(time.Hour))
		}
		return c, made
	})
	s.Runner(t, in, made, "POST", "/initiate", `{"run_id":"2","sha":"`+Commit+`"}`).Want(t, 200)
	return made
}

// Runner sends a request of the runner of a run. rest is the path below that of the run.
func (s *Stack) Runner(t testing.TB, in Installation, of Run, method, rest, body string) Response {
	t.Helper()
	target := "/api/" + in.VCS + "/v1/work-manifests/" + of.Work + rest
	return s.Do(t, Request{Method: method, Target: target, Authorization: Bearer(of.Token), Body: body})
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
