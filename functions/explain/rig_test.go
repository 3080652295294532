package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/contract"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/object"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/fold"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/run/starting"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

const (
	function = "ExplainFunction"
	base     = "/api/v1/github/installations/42"
	named    = "acme/infra"
)

// People of the tests. Ann and Bob may write in the repository, Rob may read.
var (
	ann = vcstest.Account{ID: 1, Login: "ann"}
	bob = vcstest.Account{ID: 2, Login: "bob"}
	rob = vcstest.Account{ID: 3, Login: "rob"}
)

var (
	installation = vcs.Installation{VCS: vcs.GitHub, ID: "42"}
	infra        = installation.Repository("7")
)

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	contract.CheckRoutes(t, function, routes(&explanations{}))
}

// rig is the function over its own storage and a stand-in host, under its role, with an
// evaluator that has every right.
type rig struct {
	*functiontest.Rig
	*explanations
	host    *vcstest.GitHub
	evals   *evaluator.Evaluator
	folder  fold.Folder
	people  map[string]string // users by login
	machine string
}

// newRig makes a rig. files are those of the default branch.
func newRig(t *testing.T, files map[string]string) *rig {
	return rigOn(t, functiontest.New(t, function), nil, files)
}

// rigOn makes a rig. The function uses the environment, or that of its role.
func rigOn(t *testing.T, of *functiontest.Rig, env *storagetest.Env, files map[string]string) *rig {
	t.Helper()
	r := &rig{Rig: of, host: vcstest.NewGitHub(t), people: map[string]string{}}
	if env == nil {
		env = of.Role
	}
	git := vcstest.NewMemory()
	git.Commit("main", bytesOf(files))
	r.host.Install("42", vcstest.Repository{ID: 7, Owner: "acme", Name: "infra", DefaultBranch: "main", Private: true, Content: git})
	users := &user.Store{DB: of.Env.DynamoDB, Table: of.Env.Table("OperationsTable")}
	for _, who := range []vcstest.Account{ann, bob, rob} {
		r.host.Permit("acme", "infra", who.Login, who.ID, map[string]string{"rob": "read"}[who.Login]+map[string]string{"ann": "write", "bob": "write"}[who.Login])
		u, err := users.SignIn(t.Context(), "github", user.Identity{ID: vcs.ID(strconv.FormatInt(who.ID, 10)), Login: who.Login}, r.Author())
		must(t, err)
		r.people[who.Login] = u.ID
	}
	m, err := users.Create(t.Context(), "robot", r.Author())
	must(t, err)
	r.machine = m.ID
	known := repository.Store{DB: of.Env.DynamoDB, Table: of.Env.Table("VcsTable")}
	must(t, known.Apply(t.Context(), r.Author(), installation, vcs.Description{ID: "7", Owner: "acme", Name: "infra"}, "1"))
	r.evals = r.evaluatorOver(of.Env)
	r.folder = fold.Folder{Runs: r.evals.Runs, Standing: r.evals.Standing, Results: r.evals.Outputs}
	r.explanations = &explanations{
		users: &user.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}, known: repository.Store{DB: env.DynamoDB, Table: env.Table("VcsTable")},
		evaluator: r.evaluatorOver(env),
	}
	r.evaluator.Source.ReadOnly = true
	r.Serve(routes(r.explanations))
	r.Caller = r.session("ann")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.Log.String())
		}
	})
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func bytesOf(files map[string]string) map[string][]byte {
	made := map[string][]byte{}
	for path, text := range files {
		made[path] = []byte(text)
	}
	return made
}

func (r *rig) evaluatorOver(env *storagetest.Env) *evaluator.Evaluator {
	name, bucket := env.Table("RunsTable"), env.Bucket("RunsBucket")
	items := table.Table{DB: env.DynamoDB, Name: name}
	runs := runstore.Store{DB: env.DynamoDB, Table: name, Limits: runstore.Limits{Keep: 90 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour}}
	plans := planstore.Store{DB: env.DynamoDB, Objects: env.S3, Table: name, Bucket: bucket, Keep: 14 * 24 * time.Hour}
	app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return r.host.Key, nil }, r.host.API)
	return &evaluator.Evaluator{
		Lanes: lane.Store{DB: env.DynamoDB, Table: env.Table("EvaluationTable"), Objects: object.Bucket{Client: env.S3, Name: bucket}},
		Runs:  runs, Standing: standing.Store{Table: items}, Plans: plans, Outputs: output.New(env.DynamoDB, env.S3, name, bucket),
		Sets:   changeset.Store{DB: env.DynamoDB, Objects: env.S3, Table: name, Bucket: bucket, Keep: 90 * 24 * time.Hour},
		Source: source.Source{Objects: object.Bucket{Client: env.S3, Name: bucket}},
		Start: starting.Starter{
			History: starting.History{Runs: runs, Index: runindex.New(items, runs), PlanStore: plans, Standing: standing.Store{Table: items}},
			Objects: env.S3, Bucket: bucket, Box: sealed.NewBox(sealed.Fixed(bytes.Repeat([]byte("s"), 40))), PublicBaseURL: "https://ops.example.com",
		},
		Open: marked(evaluator.Opener(&hostclient.Hosts{App: app})), PublicBaseURL: "https://ops.example.com", Log: r.Logger(), Now: r.Clock.Now,
	}
}

// session returns the session of a person.
func (r *rig) session(login string) *access.Caller {
	return &access.Caller{Kind: access.KindSession, User: r.people[login], Key: uuid.NewString(), Memberships: []vcs.Installation{installation}, FromOwnPage: true}
}

// token returns an access token of a user.
func (r *rig) token(user string, capabilities ...access.Capability) *access.Caller {
	c := functiontest.Token(user, capabilities...)
	c.Memberships, c.Expires = []vcs.Installation{installation}, 0
	return c
}

// evaluate makes a request, and evaluates the lane until nothing is asked any more.
func (r *rig) evaluate(t *testing.T, q lane.Request) {
	t.Helper()
	q.Repository, q.At = infra, r.Clock.Now()
	must(t, r.evals.Lanes.Ask(t.Context(), q, r.Clock.Now()))
	for again := true; again; {
		held, ok, err := r.evals.Lanes.Enter(t.Context(), infra, r.Clock.Now())
		must(t, err)
		if !ok {
			t.Fatal("the lane is taken")
		}
		must(t, r.evals.Lane(t.Context(), held))
		again, err = held.Leave(t.Context())
		must(t, err)
	}
}

// open pushes files to a branch, opens a pull request, and lets runners plan it.
func (r *rig) open(t *testing.T, branch string, files map[string]string) int64 {
	t.Helper()
	_, err := r.host.Push(named, branch, ann, bytesOf(files))
	must(t, err)
	number, err := r.host.OpenPull(named, ann, vcstest.Opening{Title: "Change " + branch, Head: branch})
	must(t, err)
	r.evaluate(t, lane.Request{Kind: lane.Pull, Number: number, Automatic: true, Sender: ann.Login, SenderID: "1"})
	r.work(t)
	return number
}

// apply writes the command, and lets runners apply.
func (r *rig) apply(t *testing.T, number int64) {
	t.Helper()
	id, err := r.host.CommentOn(named, number, ann, "terrateam apply")
	must(t, err)
	r.evaluate(t, lane.Request{Kind: lane.Command, Number: number, Comment: fmt.Sprint(id), Text: "terrateam apply", Sender: ann.Login, SenderID: "1"})
	r.work(t)
}

// work lets runners do what is queued: plans with changes, and applies that succeed.
func (r *rig) work(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	for {
		claimed, ok, err := r.evals.Runs.Claim(ctx, infra, time.Minute, r.Author())
		must(t, err)
		if !ok {
			return
		}
		of, err := r.evals.Runs.Get(ctx, claimed.ID)
		must(t, err)
		_, err = r.evals.Runs.Dispatched(ctx, of, runstore.HostRun{ID: string(of.ID)}, r.Author())
		must(t, err)
		_, err = r.evals.Runs.Initiate(ctx, of.ID, runstore.CIJob{Run: string(of.ID), Commit: of.Source.Commit}, r.Author())
		must(t, err)
		r.complete(t, of)
	}
}

// complete reports the success of a run.
func (r *rig) complete(t *testing.T, of run.Run) {
	t.Helper()
	ctx := t.Context()
	done := run.Result{Success: true}
	for _, d := range of.Dirspaces {
		outcome := run.HasResult | run.Succeeded
		if of.Type.IsPlan() {
			outcome |= run.PlanStored | run.HasChanges
			must(t, r.evals.Plans.Put(ctx, of.ID, d, []byte("plan of "+d.String()), true, r.Clock.Now()))
		}
		done.Outcomes = append(done.Outcomes, outcome)
	}
	stored, err := r.evals.Outputs.Put(ctx, of.ID, &result.Result{Success: true}, r.Clock.Now().Add(r.evals.Runs.Limits.Keep))
	must(t, err)
	done.Steps, done.Payload, done.Gates = stored.Steps, stored.Payload, stored.Gates
	_, err = r.evals.Runs.Complete(ctx, of.ID, done, r.Author())
	must(t, err)
	over, err := r.evals.Runs.Get(ctx, of.ID)
	must(t, err)
	must(t, r.folder.Run(ctx, over))
	r.Clock.Add(time.Second)
	r.evaluate(t, lane.Request{Kind: lane.Ended, Number: of.Kind.Number, Run: of.ID})
}
