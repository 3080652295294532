package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/contract"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runtoken"
	"github.com/opsplane/opsplane/shared/run/worktoken"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
)

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	contract.CheckRoutes(t, "RunnerFunction", routes(&runner{work: contract.WorkTokens()}))
}

var (
	net = run.Dirspace{Dir: "net", Workspace: "default"}
	app = run.Dirspace{Dir: "app", Workspace: "prod"}
	// limits are those of the template.
	limits = runstore.Limits{Keep: 400 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour}
)

const (
	commit   = "73e3d2f426ea2670d37c4d6b146f0e20cbc65399"
	planKeep = 14 * 24 * time.Hour
	// started is the body with which the CI job of a run asks for its work.
	started = `{"run_id":"777","sha":"` + commit + `"}`
)

// secrets are the values of the server's secret.
var secrets = sealed.Fixed(bytes.Repeat([]byte("s"), 40))

// rig is the function over its own tables and a GitHub, under its role.
type rig struct {
	*functiontest.Rig
	github *vcstest.GitHub
	box    *sealed.Box
	work   worktoken.Tokens
	server *runner
	// repositories counts the runs. Each has a repository of its own.
	repositories atomic.Int64
	// runs, plans and outputs are stores without a role and without faults.
	runs    runstore.Store
	plans   planstore.Store
	outputs *output.Store
}

func newRig(t testing.TB) *rig { return rigOn(t, functiontest.New(t, "RunnerFunction"), nil) }

// rigOn makes the function use the clients of role for its storage. If role is nil,
// they are those of the rig.
func rigOn(t testing.TB, of *functiontest.Rig, role *storagetest.Env) *rig {
	t.Helper()
	if role == nil {
		role = of.Role
	}
	r := &rig{Rig: of, github: vcstest.NewGitHub(t), box: sealed.NewBox(secrets), work: worktoken.New(secrets)}
	r.github.Install("42", vcstest.Repository{ID: 7, Owner: "acme", Name: "infra"})
	githubApp := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return r.github.Key, nil }, r.github.API)
	stores := func(env *storagetest.Env) (runstore.Store, planstore.Store, *output.Store) {
		table, bucket := env.Table("RunsTable"), env.Bucket("RunsBucket")
		return runstore.Store{DB: env.DynamoDB, Table: table, Limits: limits},
			planstore.Store{DB: env.DynamoDB, Objects: env.S3, Table: table, Bucket: bucket, Keep: planKeep},
			output.New(env.DynamoDB, env.S3, table, bucket)
	}
	r.runs, r.plans, r.outputs = stores(of.Env)
	s := &runner{
		box: r.box, work: r.work, manifests: manifests{role.S3, role.Bucket("RunsBucket")},
		tokens: tokens{open: func(ctx context.Context, id vcs.ID) (issuer, error) { return githubApp.Open(ctx, id) }},
	}
	s.runs, s.plans, s.outputs = stores(role)
	r.server = s
	r.Serve(routes(s))
	return r
}

// job is a run in a test, with its runner.
type job struct {
	*rig
	id run.ID
	of vcs.Installation
	// work is the work token, and token the one that the manifest has.
	work, token string
}

// create creates a run of a type at a VCS and claims it, so that its CI job may ask
// for the work. uses are the plans of an apply.
func (r *rig) create(t testing.TB, at vcs.VCS, of run.Type, uses ...planstore.Use) job {
	t.Helper()
	j := job{rig: r, id: run.NewID(), of: vcs.Installation{VCS: at, ID: "42"}}
	j.work, j.token = r.workToken(t, j.id), runtoken.New(j.id)
	sealedToken, err := r.box.Seal(t.Context(), runtoken.Place(j.id), []byte(j.token))
	if err != nil {
		t.Fatal(err)
	}
	dirspaces := run.SortDirspaces([]run.Dirspace{net, app})
	work := manifest.Work{
		Type: of, Installation: j.of, Kind: run.Kind{Name: run.PullRequest, Number: 17}, BaseBranch: "main", APIBase: "https://ops.example.com/api",
		Config: json.RawMessage(`{"version":"1","config_builder":{"enabled":true,"script":"x"},"tree_builder":{"enabled":true,"script":"x"}}`),
	}
	if of.IsPlan() || of.IsApply() {
		for _, d := range dirspaces {
			work.Dirspaces = append(work.Dirspaces, manifest.Dirspace{Dirspace: d})
		}
	} else {
		dirspaces = nil
	}
	document, err := manifest.Build(work)
	if err != nil {
		t.Fatal(err)
	}
	c := runstore.Creation{
		Spec: run.Spec{
			ID: j.id, Repository: j.of.Repository(vcs.ID(strconv.FormatInt(100+r.repositories.Add(1), 10))), Owner: "acme", Name: "infra", Type: of, Kind: work.Kind,
			Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: commit}, Principal: "ann", Dirspaces: dirspaces,
		},
		Token:    runstore.Token{Hash: runtoken.Digest(j.token), Sealed: sealedToken},
		Manifest: runstore.Manifest{Body: document},
		Before: func(ctx context.Context) error {
			return r.plans.Choose(ctx, j.id, uses, r.Clock.Now().Add(limits.Keep))
		},
	}
	if _, err := r.runs.Create(t.Context(), c, r.Author()); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := r.runs.Claim(t.Context(), c.Spec.Repository, time.Minute, r.Author()); err != nil || !ok {
		t.Fatalf("claim: %t, %v", ok, err)
	}
	return j
}

// start creates a run whose CI job has asked for its work.
func (r *rig) start(t testing.TB, at vcs.VCS, of run.Type, uses ...planstore.Use) job {
	t.Helper()
	j := r.create(t, at, of, uses...)
	j.initiate(t).Want(t, 200, "")
	return j
}

// workToken returns the work token of a run.
func (r *rig) workToken(t testing.TB, id run.ID) string {
	t.Helper()
	token, err := r.work.Of(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// path returns a path of the run.
func (j job) path(rest string) string {
	return "/api/" + string(j.of.VCS) + "/v1/work-manifests/" + j.work + rest
}

// initiate sends the request of the CI job for its work.
func (j job) initiate(t testing.TB) functiontest.Response {
	t.Helper()
	return j.As(t, nil, "POST", j.path("/initiate"), started)
}

// caller returns the caller as the authorizer finds it out.
func (j job) caller(t testing.TB) *access.Caller {
	t.Helper()
	b, err := j.runs.Bearer(t.Context(), j.id)
	if err != nil {
		t.Fatal(err)
	}
	if !runtoken.Matches(j.token, b.Hash) {
		t.Fatal("the token of the run is another")
	}
	c := access.OfRun(string(j.id), b.Installation, b.State.Active())
	return &c
}

// ask sends a request of the run's runner.
func (j job) ask(t testing.TB, method, rest, body string) functiontest.Response {
	t.Helper()
	return j.As(t, j.caller(t), method, j.path(rest), body)
}

// store stores a plan.
func (j job) store(t testing.TB, of run.Dirspace, plan, more string) functiontest.Response {
	t.Helper()
	return j.ask(t, "POST", "/plans", planBody(of, plan, more))
}

func planBody(of run.Dirspace, plan, more string) string {
	return `{"path":"` + of.Dir + `","workspace":"` + of.Workspace + `","plan_data":"` + base64.StdEncoding.EncodeToString([]byte(plan)) + `"` + more + `}`
}

// fetch fetches a plan. name is that of the parameter for the directory.
func (j job) fetch(t testing.TB, name string, of run.Dirspace) functiontest.Response {
	t.Helper()
	return j.ask(t, "GET", "/plans?"+url.Values{name: {of.Dir}, "workspace": {of.Workspace}}.Encode(), "")
}

// chosen returns the uses of all plans that the run has stored.
func (j job) chosen(t testing.TB) []planstore.Use {
	t.Helper()
	found, err := j.plans.Of(t.Context(), j.id, j.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	var uses []planstore.Use
	for _, p := range found {
		uses = append(uses, planstore.Use{Dirspace: p.Dirspace, Plan: j.id, Digest: p.Digest})
	}
	return uses
}

// now returns the run as it is.
func (j job) now(t testing.TB) run.Run {
	t.Helper()
	found, err := j.runs.Get(t.Context(), j.id)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// steps returns the steps of the completed run.
func (j job) steps(t testing.TB, lite bool) []output.Step {
	t.Helper()
	page, err := j.outputs.Page(t.Context(), j.id, *j.now(t).Result, output.Request{Limit: 100, Lite: lite})
	if err != nil {
		t.Fatal(err)
	}
	return page.Steps
}
