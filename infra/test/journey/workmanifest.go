//go:build unix

package journey

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runtoken"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Work is a run that a test creates with a configuration of its own, which no command by API
// can have.
type Work struct {
	Repository vcs.Repository
	// Owner and Name are those of the repository.
	Owner, Name string
	Type        run.Type
	// Source is the branch and its commit. The run goes nowhere else.
	Source    run.Ref
	Dirspaces []run.Dirspace
	// Config is the configuration of the repository, in JSON. The dirspaces have the
	// workflow 0.
	Config string
	// Plan is the run whose plans an apply uses.
	Plan run.ID
}

// Start creates the run, which the stack dispatches. It returns the run's id and its token.
func (s *Stack) Start(t testing.TB, w Work) (id run.ID, token string) {
	t.Helper()
	store := s.runs(t)
	id = run.NewID()
	token = runtoken.New(id)
	sealed, err := s.box(t).Seal(t.Context(), runtoken.Place(id), []byte(token))
	if err != nil {
		t.Fatal(err)
	}
	kind := run.Kind{Name: run.Branch}
	work := manifest.Work{
		Type: w.Type, Installation: w.Repository.Installation, Kind: kind, BaseBranch: w.Source.Branch, APIBase: s.URL + "/api",
		Config: json.RawMessage(w.Config),
	}
	first := 0
	for _, d := range w.Dirspaces {
		work.Dirspaces = append(work.Dirspaces, manifest.Dirspace{Dirspace: d, Workflow: &first})
	}
	document, err := manifest.Build(work)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	plans := planstore.Store{DB: store.DB, Table: store.Table, Keep: store.Limits.Keep}
	c := runstore.Creation{
		Spec: run.Spec{
			ID: id, Repository: w.Repository, Owner: w.Owner, Name: w.Name, Type: w.Type, Kind: kind, Base: w.Source, Source: w.Source,
			Principal: operator(now).Principal, Dirspaces: w.Dirspaces,
		},
		Token: runstore.Token{Hash: runtoken.Digest(token), Sealed: sealed}, Manifest: runstore.Manifest{Body: document},
		Before: func(ctx context.Context) error {
			if w.Plan == "" {
				return nil
			}
			found, err := plans.Of(ctx, w.Plan, now)
			var uses []planstore.Use
			for _, p := range found {
				uses = append(uses, planstore.Use{Dirspace: p.Dirspace, Plan: w.Plan, Digest: p.Digest})
			}
			if err != nil {
				return err
			}
			return plans.Choose(ctx, id, uses, now.Add(store.Limits.Keep))
		},
	}
	if _, err := store.Create(t.Context(), c, operator(now)); err != nil {
		t.Fatal(err)
	}
	return id, token
}
