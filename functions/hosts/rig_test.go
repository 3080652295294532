package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/contract"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/loginhost"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/login/oauth"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

// The libraries use the real time.
var born = time.Now().UTC().Truncate(time.Second)

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	contract.CheckRoutes(t, "HostsFunction", routes(&hosts{}))
}

// rig is the function over its own tables and hosts. Its caller is Ann, who has
// logged in at both hosts.
type rig struct {
	*functiontest.Rig
	*hosts
	github *vcstest.People
	gitlab *vcstest.GitLab
	// The stores of the test, which also writes what the function may not.
	people membership.Memberships
	grants *grant.Store
	tokens *grouptoken.Store
}

const function = "HostsFunction"

const (
	ann          = 5
	serverSecret = "0123456789012345678901234567890123456789"
)

func newRig(t *testing.T) *rig {
	t.Helper()
	of := functiontest.New(t, function)
	return rigOn(t, of, of.Role.DynamoDB)
}

// rigOn makes the function use db for its storage.
func rigOn(t *testing.T, of *functiontest.Rig, db *dynamodb.Client) *rig {
	t.Helper()
	r := &rig{Rig: of, github: vcstest.NewPeople(t), gitlab: vcstest.NewGitLab(t)}
	r.Clock.Set(born)
	box := sealed.NewBox(sealed.Fixed(bytes.Repeat([]byte("s"), 40)))
	client := func(context.Context) (string, error) { return "s3cret", nil }
	r.people, r.grants, r.tokens = stores(of.Env, of.Env.DynamoDB, box)
	people, grants, tokens := stores(of.Env, db, box)
	r.hosts = &hosts{
		people: people,
		loginHosts: map[vcs.VCS]loginhost.Host{
			"github": {OAuth: oauth.GitHub(r.github.URL, "Iv1.x", client), People: githubhost.NewPeople(r.github.URL)},
			"gitlab": {OAuth: oauth.GitLab(r.github.URL, "abc", client), People: gitlabhost.NewPeople(r.gitlab.API)},
		},
		grants:         grants,
		vcs:            &hostclient.Hosts{App: githubhost.New("", nil, ""), GitLab: gitlabhost.New(r.gitlab.API), Tokens: tokens},
		webhookSecrets: func(context.Context, time.Time) ([]string, error) { return []string{serverSecret}, nil },
		log:            r.Logger(),
	}
	r.Serve(routes(r.hosts)).At("https://ops.example.com")
	u := r.person(t, ann, "ann", r.gitlab.Account(ann, "ann"))
	r.Caller = &access.Caller{
		Kind: access.KindAccessToken, User: u.ID, Key: uuid.NewString(), Expires: born.Unix() + 1e6,
		Capabilities: access.Set{access.AccessTokenCreate},
	}
	r.gitlab.Set(vcstest.Group{ID: 77, FullPath: "acme", FullName: "Acme", Inherited: map[int64]int{ann: 40, 9: 30}})
	return r
}

// stores returns stores of the tables of env, which they reach through db.
func stores(env *storagetest.Env, db *dynamodb.Client, box *sealed.Box) (membership.Memberships, *grant.Store, *grouptoken.Store) {
	operations, sessions := env.Table("OperationsTable"), env.Table("SessionsTable")
	return membership.Memberships{
		Users: &user.Store{DB: db, Table: operations}, Installations: installation.Store{DB: db, Table: operations},
		Renewals: membership.Renewals{DB: db, Table: operations},
	}, &grant.Store{DB: db, Table: sessions, Box: box}, grouptoken.New(db, sessions, box)
}

// person logs a person in at both hosts.
func (r *rig) person(t *testing.T, id int, login, gitlabToken string) user.User {
	t.Helper()
	identity := user.Identity{ID: vcs.ID(strconv.Itoa(id)), Login: login}
	u, err := r.people.Users.SignIn(t.Context(), "github", identity, author())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.people.Users.PutIdentity(t.Context(), u.ID, "gitlab", identity, author()); err != nil {
		t.Fatal(err)
	}
	for system, held := range map[vcs.VCS]grant.Grant{
		"github": {Access: vcstest.PersonToken, Refresh: vcstest.PersonRefresh, ExpiresAt: born.Add(time.Hour)}, "gitlab": {Access: gitlabToken},
	} {
		if err := r.grants.Put(t.Context(), grant.Holder{User: u.ID, Account: vcs.Account{VCS: system, ID: identity.ID}}, held, author()); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

func author() change.Author {
	return change.Author{Principal: "test", Request: uuid.NewString(), At: born}
}

// ask returns the status and the body of a response.
func (r *rig) ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	got := r.Do(t, method, path, body)
	return got.StatusCode, got.Body
}

// list returns the ids of the caller's installations, or the status.
func (r *rig) list(t *testing.T, vcs string) string {
	t.Helper()
	var text string
	for _, path := range []string{"/api/v1/" + vcs + "/installations", "/api/v1/user/" + vcs + "/installations"} {
		status, body := r.ask(t, "GET", path, "")
		if status != 200 {
			return strconv.Itoa(status)
		}
		var response struct{ Installations []shown }
		if err := json.Unmarshal([]byte(body), &response); err != nil || response.Installations == nil {
			t.Fatalf("%s: %s", path, body)
		}
		text = ""
		for _, i := range response.Installations {
			text += i.ID + " " + i.Name + " " + i.AccountStatus + "; "
		}
	}
	return text
}

// know stores installations.
func (r *rig) know(t *testing.T, list ...installation.Installation) {
	t.Helper()
	for _, i := range list {
		if err := r.people.Installations.Apply(t.Context(), author(), i, "1"); err != nil {
			t.Fatal(err)
		}
	}
}
