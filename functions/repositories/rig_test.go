package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/contract"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

var born = functiontest.Start

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	contract.CheckRoutes(t, function, routes(&repositories{}))
}

// rig is the function over its own tables and hosts. Its caller is Ann, who has an
// account at both hosts.
type rig struct {
	*functiontest.Rig
	*repositories
	github *vcstest.GitHub
	gitlab *vcstest.GitLab
	hosts  *hostclient.Hosts // of the function
	// The stores of the test, which also writes what the function may not.
	users        *user.Store
	tasks        task.Store
	known        repository.Store
	pullRequests pullrequest.Store
	tokens       *grouptoken.Store
}

const (
	ann      = 5
	function = "RepositoriesFunction"
)

func newRig(t *testing.T) *rig {
	of := functiontest.New(t, function)
	return rigOn(t, of, of.Role.DynamoDB)
}

// rigOn makes the function use db for its storage.
func rigOn(t *testing.T, of *functiontest.Rig, db *dynamodb.Client) *rig {
	t.Helper()
	r := &rig{Rig: of, github: vcstest.NewGitHub(t), gitlab: vcstest.NewGitLab(t)}
	box := sealed.NewBox(sealed.Fixed(bytes.Repeat([]byte("s"), 40)))
	app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return r.github.Key, nil }, r.github.API)
	sessions, tests := of.Env.Table("SessionsTable"), of.Env.DynamoDB
	r.hosts = &hostclient.Hosts{App: app, GitLab: gitlabhost.New(r.gitlab.API), Tokens: grouptoken.New(db, sessions, box)}
	r.repositories = r.over(db, r.hosts)
	r.Serve(routes(r.repositories))
	own := r.over(tests, nil)
	r.users, r.tasks, r.known = &user.Store{DB: tests, Table: of.Env.Table("OperationsTable")}, own.tasks, own.known
	r.pullRequests, r.tokens = pullrequest.Store{DB: tests, Table: of.Env.Table("VcsTable")}, grouptoken.New(tests, sessions, box)
	u, err := r.users.SignIn(t.Context(), "github", user.Identity{ID: vcs.ID(strconv.Itoa(ann)), Login: "ann"}, author())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.users.PutIdentity(t.Context(), u.ID, "gitlab", user.Identity{ID: vcs.ID(strconv.Itoa(ann)), Login: "ann"}, author()); err != nil {
		t.Fatal(err)
	}
	r.Caller = &access.Caller{
		Kind: access.KindAccessToken, User: u.ID, Key: uuid.NewString(), Expires: born.Unix() + 60,
		Capabilities: access.Set{access.AccessTokenCreate, access.RunAdmin},
		Memberships:  []vcs.Installation{{VCS: "github", ID: "42"}, {VCS: "gitlab", ID: "77"}},
	}
	acme := installation.Installation{VCS: vcs.GitHub, ID: "42", Name: "acme", CreatedAt: born}
	if _, err := (installation.Store{DB: tests, Table: of.Env.Table("OperationsTable")}).Save(t.Context(), author(), acme); err != nil {
		t.Fatal(err)
	}
	r.arrange(t)
	return r
}

// over returns the function with db for its storage.
func (r *rig) over(db *dynamodb.Client, hosts *hostclient.Hosts) *repositories {
	operations := r.Env.Table("OperationsTable")
	return &repositories{
		users: &user.Store{DB: db, Table: operations}, tasks: task.Store{DB: db, Table: operations},
		names: installation.Store{DB: db, Table: operations},
		known: repository.Store{DB: db, Table: r.Env.Table("VcsTable")}, open: opener(hosts),
	}
}

// arrange gives each host two repositories: 7, which is archived, and 8, which is
// not. Both are known here too.
func (r *rig) arrange(t *testing.T) {
	t.Helper()
	r.github.Install("42", vcstest.Repository{ID: 7, Owner: "acme", Name: "old", Archived: true}, vcstest.Repository{ID: 8, Owner: "acme", Name: "live"})
	r.github.Role("acme", "ann", ann, "admin")
	r.gitlab.Set(vcstest.Group{
		ID: 77, FullPath: "acme", Direct: map[int64]int{ann: 40}, Inherited: map[int64]int{ann: 40, 9: 30},
		Projects: []vcstest.Project{{ID: 7, PathWithNamespace: "acme/old", Archived: true}, {ID: 8, PathWithNamespace: "acme/live"}},
	})
	if err := r.tokens.Put(t.Context(), "77", r.gitlab.Account(9, "bot"), author()); err != nil {
		t.Fatal(err)
	}
	for system, installation := range map[string]string{"github": "42", "gitlab": "77"} {
		for id, name := range map[string]string{"7": "old", "8": "live"} {
			r.tell(t, system, installation, id, name, "1")
		}
	}
}

// tell stores a fact of a host about a repository.
func (r *rig) tell(t *testing.T, system, installation, id, name, version string) {
	t.Helper()
	if err := r.known.Apply(t.Context(), author(), vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(installation)}, vcs.Description{ID: vcs.ID(id), Owner: "acme", Name: name}, vcs.Version(version)); err != nil {
		t.Fatal(err)
	}
}

func author() change.Author {
	return change.Author{Principal: "test", Request: uuid.NewString(), At: born}
}

// ask returns the status and the body of a response.
func (r *rig) ask(t *testing.T, method, path string) (int, string) {
	t.Helper()
	got := r.Do(t, method, path, "")
	return got.StatusCode, got.Body
}

// start sends a request that starts a task, and returns the task.
func (r *rig) start(t *testing.T, method, path string) task.Task {
	t.Helper()
	status, body := r.ask(t, method, path)
	var answer struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 {
		t.Fatalf("%s %s: %d %s", method, path, status, body)
	}
	made, err := r.tasks.Get(t.Context(), answer.ID, born)
	if err != nil {
		t.Fatal(err)
	}
	return made
}
