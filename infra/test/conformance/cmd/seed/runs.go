package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runtoken"
	"github.com/opsplane/opsplane/shared/run/worktoken"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// The pull request of the runs, and the commit that they work on.
const (
	repositoryID = "7"
	pullRequest  = 17
	commit       = "73e3d2f426ea2670d37c4d6b146f0e20cbc65399"
)

// workspace is the dirspace of the runs.
var workspace = run.Dirspace{Dir: "net", Workspace: "default"}

// worker makes runs, which only a host's CI could work on.
type worker struct {
	url  string // of the stack
	runs runstore.Store
	box  *sealed.Box
	work worktoken.Tokens
}

func newWorker(state, url string, db *dynamodb.Client, tableName string) (worker, error) {
	text, err := os.ReadFile(filepath.Join(state, "secrets", "opsplane-serversecret"))
	if err != nil {
		return worker{}, err
	}
	secret := sealed.Fixed(bytes.TrimSpace(text))
	return worker{
		url: url, box: sealed.NewBox(secret), work: worktoken.New(secret),
		runs: runstore.Store{DB: db, Table: tableName, Limits: runstore.Limits{Keep: 24 * time.Hour, Start: time.Hour, Report: 24 * time.Hour}},
	}, nil
}

// seeded is a run, with the credentials of its runner.
type seeded struct {
	id                    run.ID
	workToken, credential string
}

// scene makes, for a VCS, a run that has completed and one that is running, and the change set
// of their pull request.
func (w worker) scene(ctx context.Context, system vcs.VCS) (done, running seeded, err error) {
	of := vcs.Installation{VCS: system, ID: "1"}.Repository(repositoryID)
	write, err := changeset.Store{DB: w.runs.DB, Table: w.runs.Table, Keep: w.runs.Limits.Keep}.Write(ctx, changeset.Set{
		Repository: of, Number: pullRequest, Base: commit, Head: commit, At: time.Now(),
		Stacks: []changeset.Stack{{Name: "net", Paths: [][]string{{"net"}}, Members: []changeset.Member{{Dirspace: workspace, Layer: 1}}}},
	})
	if err != nil {
		return done, running, err
	}
	if err := (table.Table{DB: w.runs.DB, Name: w.runs.Table}).Transact(ctx, write); err != nil {
		return done, running, err
	}
	if done, err = w.start(ctx, of); err != nil {
		return done, running, err
	}
	report := `{"steps":[{"step":"tf/plan","success":true,"ignore_errors":false,"scope":{"type":"dirspace","dir":"net","workspace":"default"},` +
		`"payload":{"text":"Plan: 1 to add, 0 to change, 0 to destroy.","has_changes":true}}]}`
	if err := w.send(ctx, system, done, "PUT", "", report); err != nil {
		return done, running, err
	}
	running, err = w.start(ctx, of)
	return done, running, err
}

// start makes a plan whose runner has begun. The stack's dispatcher ends a run that it claims
// first, because no host is there. Then start makes another one.
func (w worker) start(ctx context.Context, of vcs.Repository) (seeded, error) {
	for range 20 {
		made, err := w.create(ctx, of)
		if err != nil {
			return made, err
		}
		claimed, ok, err := w.runs.Claim(ctx, of, time.Hour, author())
		if err != nil {
			return made, err
		}
		if ok && claimed.ID == made.id {
			return made, w.send(ctx, of.Installation.VCS, made, "POST", "/initiate", `{"run_id":"`+string(made.id)+`","sha":"`+commit+`"}`)
		}
	}
	return seeded{}, errors.New("the dispatcher is always first")
}

func (w worker) create(ctx context.Context, of vcs.Repository) (seeded, error) {
	made := seeded{id: run.NewID()}
	made.credential = runtoken.New(made.id)
	var err error
	if made.workToken, err = w.work.Of(ctx, made.id); err != nil {
		return made, err
	}
	text, err := w.box.Seal(ctx, runtoken.Place(made.id), []byte(made.credential))
	if err != nil {
		return made, err
	}
	kind := run.Kind{Name: run.PullRequest, Number: pullRequest, Title: "Add bucket"}
	document, err := manifest.Build(manifest.Work{
		Type: run.Plan, Installation: of.Installation, Kind: kind, BaseBranch: "main", APIBase: w.url + "/api", Dirspaces: []manifest.Dirspace{{Dirspace: workspace}},
	})
	if err != nil {
		return made, err
	}
	_, err = w.runs.Create(ctx, runstore.Creation{
		Spec: run.Spec{
			ID: made.id, Repository: of, Owner: "acme", Name: "infra", Type: run.Plan, Kind: kind, Base: run.Ref{Branch: "main", Commit: commit},
			Source: run.Ref{Branch: "feature", Commit: commit}, User: "conformance", Principal: author().Principal, Dirspaces: []run.Dirspace{workspace},
		},
		Token: runstore.Token{Hash: runtoken.Digest(made.credential), Sealed: text}, Manifest: runstore.Manifest{Body: document},
	}, author())
	return made, err
}

// send sends a request of the runner. rest is the path below that of the run.
func (w worker) send(ctx context.Context, system vcs.VCS, of seeded, method, rest, body string) error {
	url := fmt.Sprintf("%s/api/%s/v1/work-manifests/%s%s", w.url, system, of.workToken, rest)
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+of.credential)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s of a runner: status %d", method, resp.StatusCode)
	}
	return nil
}
