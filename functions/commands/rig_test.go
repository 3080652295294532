package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/contract"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/object"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runview"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/run/starting"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

const (
	function = "CommandsFunction"
	ann, bob = 5, 6 // accounts at both hosts: ann may write in the repository, bob may read

	github = "/api/v1/github/installations/42"
	gitlab = "/api/v1/gitlab/installations/77"
	infra  = github + "/repos/7/work-manifests"
)

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	contract.CheckRoutes(t, function, routes(&commands{}))
}

// rig is the function over its own storage and hosts, under its role.
type rig struct {
	*functiontest.Rig
	*commands
	github *vcstest.GitHub
	gitlab *vcstest.GitLab
	box    *sealed.Box
	git    *vcstest.Memory
	// base is the commit at which the branch of pull request 17 begins. head and moved are
	// later ones.
	base, head, moved string
	// history is over storage without a role.
	history starting.History
	people  map[int64]string // users by account
	machine string
}

func newRig(t *testing.T) *rig { return rigOn(t, functiontest.New(t, function), nil) }

// rigOn makes a rig. The function uses the environment, or that of its role.
func rigOn(t *testing.T, of *functiontest.Rig, env *storagetest.Env) *rig {
	t.Helper()
	r := &rig{
		Rig: of, github: vcstest.NewGitHub(t), gitlab: vcstest.NewGitLab(t), people: map[int64]string{}, git: vcstest.NewMemory(),
		box: sealed.NewBox(sealed.Fixed(bytes.Repeat([]byte("s"), 40))), history: historyOver(of.Env),
	}
	if env == nil {
		env = of.Role
	}
	r.commands = r.over(env)
	r.Serve(routes(r.commands))
	users := &user.Store{DB: of.Env.DynamoDB, Table: of.Env.Table("OperationsTable")}
	for id, login := range map[int64]string{ann: "ann", bob: "bob"} {
		account := user.Identity{ID: vcs.ID(strconv.FormatInt(id, 10)), Login: login}
		u, err := users.SignIn(t.Context(), "github", account, r.Author())
		if err == nil {
			err = users.PutIdentity(t.Context(), u.ID, "gitlab", account, r.Author())
		}
		if err != nil {
			t.Fatal(err)
		}
		r.people[id] = u.ID
	}
	m, err := users.Create(t.Context(), "robot", r.Author())
	if err != nil {
		t.Fatal(err)
	}
	r.machine = m.ID
	r.arrange(t)
	r.Caller = r.session(ann)
	return r
}

func historyOver(env *storagetest.Env) starting.History {
	name := env.Table("RunsTable")
	store := runstore.Store{DB: env.DynamoDB, Table: name, Limits: runstore.Limits{Keep: 400 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour}}
	return starting.History{Runs: store, Index: runindex.New(table.Table{DB: env.DynamoDB, Name: name}, store), PlanStore: planstore.Store{DB: env.DynamoDB, Objects: env.S3, Table: name, Bucket: env.Bucket("RunsBucket"), Keep: 14 * 24 * time.Hour}, Standing: standing.Store{Table: table.Table{DB: env.DynamoDB, Name: name}}}
}

func lanesOver(env *storagetest.Env) lane.Store {
	return lane.Store{DB: env.DynamoDB, Table: env.Table("EvaluationTable"), Objects: objectsOver(env)}
}

func objectsOver(env *storagetest.Env) object.Bucket {
	return object.Bucket{Client: env.S3, Name: env.Bucket("RunsBucket")}
}

// over returns the function over an environment.
func (r *rig) over(env *storagetest.Env) *commands {
	of := historyOver(env)
	app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return r.github.Key, nil }, r.github.API)
	start := starting.Starter{History: of, Objects: env.S3, Bucket: env.Bucket("RunsBucket"), Box: r.box, PublicBaseURL: "https://ops.example.com"}
	return &commands{
		users: &user.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}, known: repository.Store{DB: env.DynamoDB, Table: env.Table("VcsTable")},
		starter: start, limits: usual, lanes: lanesOver(env),
		evaluator: evaluator.Evaluator{
			Lanes: lanesOver(env), Runs: of.Runs, Standing: of.Standing, Plans: of.PlanStore,
			Outputs: output.New(env.DynamoDB, env.S3, env.Table("RunsTable"), env.Bucket("RunsBucket")), Source: source.Source{Objects: objectsOver(env)}, Start: start,
		},
		open: opener(&hostclient.Hosts{
			App: app, GitLab: gitlabhost.New(r.gitlab.API), Tokens: grouptoken.New(env.DynamoDB, env.Table("SessionsTable"), r.box),
		}),
	}
}

// arrange gives each host two repositories: 7 with some pull requests, and 8, which is
// archived. Both are known here too.
func (r *rig) arrange(t *testing.T) {
	t.Helper()
	r.base = r.git.Commit("main", files(config, "main.tf", "net/main.tf", "net/a/main.tf", "a/main.tf", "b/main.tf", "other/main.tf", "still/main.tf"))
	r.head = r.git.Commit("main", files("", "main.tf", "net/main.tf", "net/a/main.tf", "a/main.tf", "b/main.tf", "other/main.tf"))
	r.moved = r.git.Commit("main", files("", "net/main.tf"))
	r.git.SetBranch("release", r.base)
	r.at(r.head)
	for login, permission := range map[string]string{"ann": "write", "bob": "read"} {
		r.github.Permit("acme", "infra", login, map[string]int64{"ann": ann, "bob": bob}[login], permission)
		r.github.Permit("acme", "old", login, map[string]int64{"ann": ann, "bob": bob}[login], permission)
	}
	tests := r.Env.DynamoDB
	if err := grouptoken.New(tests, r.Env.Table("SessionsTable"), r.box).Put(t.Context(), "77", r.gitlab.Account(9, "bot"), r.Author()); err != nil {
		t.Fatal(err)
	}
	known := repository.Store{DB: tests, Table: r.Env.Table("VcsTable")}
	for _, in := range []vcs.Installation{{VCS: "github", ID: "42"}, {VCS: "gitlab", ID: "77"}} {
		for id, name := range map[vcs.ID]string{"7": "infra", "8": "old"} {
			if err := known.Apply(t.Context(), r.Author(), in, vcs.Description{ID: id, Owner: "acme", Name: name, Archived: new(id == "8")}, "1"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// config is the configuration of the repository.
const config = `destination_branches: [main, release]
dirs:
  net/a: { workspaces: { eu: {} } }
  b: { workspaces: { eu: {} } }
`

// files returns files for a commit, each with another content than before.
func files(config string, paths ...string) map[string][]byte {
	made := map[string][]byte{}
	for _, path := range paths {
		made[path] = []byte(uuid.NewString())
	}
	if config != "" {
		made[".terrateam/config.yml"] = []byte(config)
	}
	return made
}

// at sets the commit of the branches at both hosts.
func (r *rig) at(commit string) {
	r.git.SetBranch("main", commit)
	r.git.SetBranch("feature", commit)
	change := vcstest.Change{Number: 17, Title: "Add bucket", Author: "ann", AuthorID: ann, Base: "main", BaseSHA: r.base, Head: "feature", HeadSHA: commit, From: 7}
	closed, fork, retargeted := change, change, change
	closed.Number, closed.State = 18, "closed"
	fork.Number, fork.From = 19, 99
	retargeted.Number, retargeted.Base = 20, "release"
	changes := []vcstest.Change{change, closed, fork, retargeted}
	r.github.Install("42", vcstest.Repository{ID: 7, Owner: "acme", Name: "infra", DefaultBranch: "main", Content: r.git, Changes: changes}, vcstest.Repository{ID: 8, Owner: "acme", Name: "old", Archived: true, Content: r.git})
	r.gitlab.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: map[int64]int{ann: 30, bob: 20, 9: 30}, Projects: []vcstest.Project{
		{ID: 7, PathWithNamespace: "acme/infra", DefaultBranch: "main", Content: r.git, Changes: changes}, {ID: 8, PathWithNamespace: "acme/old", Archived: true, Content: r.git},
	}})
}

var installations = []vcs.Installation{{VCS: "github", ID: "42"}, {VCS: "gitlab", ID: "77"}}

// session returns the session of a person.
func (r *rig) session(account int64) *access.Caller {
	return &access.Caller{Kind: access.KindSession, User: r.people[account], Key: uuid.NewString(), Memberships: installations, FromOwnPage: true}
}

// token returns an access token of a user.
func (r *rig) token(user string, capabilities ...access.Capability) *access.Caller {
	c := functiontest.Token(user, capabilities...)
	c.Memberships, c.Expires = installations, 0
	return c
}

// post sends a request with an idempotency key, which may be empty.
func (r *rig) post(t *testing.T, target, key, body string) functiontest.Response {
	t.Helper()
	event := httpapitest.Event(t, "POST", target, r.Caller, body)
	if key != "" {
		event.MultiValueHeaders["Idempotency-Key"] = []string{key}
	}
	return r.Send(t, event)
}

// made sends a request that starts a run, and returns the run.
func (r *rig) made(t *testing.T, target, body string) run.Run {
	t.Helper()
	return r.get(t, idOf(t, r.post(t, target, "", body)))
}

// idOf returns the id of a run that a response says was created.
func idOf(t *testing.T, got functiontest.Response) run.ID {
	t.Helper()
	var shown runview.Run
	if err := json.Unmarshal([]byte(got.Body), &shown); err != nil || got.StatusCode != http.StatusCreated {
		t.Fatalf("got %d %s (%v), want 201 with a run", got.StatusCode, got.Body, err)
	}
	return shown.ID
}

func (r *rig) get(t *testing.T, id run.ID) run.Run {
	t.Helper()
	found, err := r.history.Runs.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// report completes a plan: its runner stores the plans and reports success, or failure.
func (r *rig) report(t *testing.T, id run.ID, success bool) {
	t.Helper()
	of := r.get(t, id)
	result := run.Result{Success: success, Outcomes: make([]run.Outcome, len(of.Dirspaces))}
	for i, d := range of.Dirspaces {
		if result.Outcomes[i] = run.HasResult; !success {
			continue
		}
		result.Outcomes[i] |= run.Succeeded | run.PlanStored | run.HasChanges
		if err := r.history.PlanStore.Put(t.Context(), id, d, []byte("plan "+d.String()), true, r.Clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.history.Runs.Complete(t.Context(), id, result, r.Author()); err != nil {
		t.Fatal(err)
	}
}

// body returns the body that starts a run of the directory net.
func body(of run.Type, where string) string {
	return `{"run_type":"` + string(of) + `","dirspaces":[{"dir":"net"}],` + where + `}`
}

const (
	onMain = `"branch":"main"`
	onPull = `"pull_number":17`
)
