package main

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/contract"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/api/ratelimit"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/loginhost"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/login/oauth"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

const address = "https://ops.example.com"

// rig is the function over its own tables, and a host.
type rig struct {
	*functiontest.Rig
	*login
	tests *login // the same, of the test, which also prepares and reads
	vcs   *vcstest.People
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, storagetest.New(t))
}

func newRigOn(t *testing.T, env *storagetest.Env) *rig {
	t.Helper()
	h := &rig{Rig: functiontest.On(env, "LoginFunction"), vcs: vcstest.NewPeople(t)}
	h.build(h.Role.DynamoDB)
	h.tests = h.over(h.Env.DynamoDB)
	for _, system := range vcs.All() {
		known := installation.Installation{VCS: system, ID: "1", Name: "known"}
		if _, err := h.tests.people.Installations.Save(t.Context(), h.Author(), known); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// build makes the function use db for its storage.
func (h *rig) build(db *dynamodb.Client) {
	h.login = h.over(db)
	h.Serve(routes(h.login)).At(address)
}

// over returns the function with db for its storage.
func (h *rig) over(db *dynamodb.Client) *login {
	operations, sessions := h.Env.Table("OperationsTable"), h.Env.Table("SessionsTable")
	secret := func(context.Context) (string, error) { return "s3cret", nil }
	box := sealed.NewBox(sealed.Fixed([]byte(strings.Repeat("k", 32))))
	return &login{
		loginHosts: map[vcs.VCS]loginhost.Host{
			"github": {OAuth: oauth.GitHub(h.vcs.URL, "Iv1.x", secret), People: githubhost.NewPeople(h.vcs.URL)},
			"gitlab": {OAuth: oauth.GitLab(h.vcs.URL, "abc", secret), People: gitlabhost.NewPeople(h.vcs.URL + "/api")},
		},
		box: box, log: h.Logger(),
		people: membership.Memberships{
			Users: &user.Store{DB: db, Table: operations}, Installations: installation.Store{DB: db, Table: operations},
			Renewals: membership.Renewals{DB: db, Table: operations},
		},
		sessions: &session.Store{DB: db, Table: sessions}, grants: &grant.Store{DB: db, Table: sessions, Box: box},
		attempts: &ratelimit.Store{DB: db, Table: sessions}, failures: failuresInTests,
	}
}

// failuresInTests is how many logins of an address may fail in ten minutes.
const failuresInTests = 30

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	t.Parallel()
	contract.CheckRoutes(t, "LoginFunction", routes(&login{}))
}

// browser keeps cookies, as a browser does.
type browser struct {
	*rig
	cookies map[string]string
	accept  string // the Accept header; empty sends what curl sends
}

func (h *rig) browser() *browser { return &browser{h, map[string]string{}, ""} }

// get sends a request for a target, and keeps the cookies of the response.
func (b *browser) get(t *testing.T, target string) functiontest.Response {
	t.Helper()
	e := httpapitest.Event(t, "GET", target, nil, "")
	if b.accept != "" {
		e.MultiValueHeaders["Accept"] = []string{b.accept}
	}
	for name, value := range b.cookies {
		e.MultiValueHeaders["Cookie"] = append(e.MultiValueHeaders["Cookie"], name+"="+value)
	}
	got := b.Send(t, e)
	for _, line := range got.MultiValueHeaders["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil || c.Path != "/" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
			t.Errorf("got cookie %s, %v; want Path=/, Secure, HttpOnly and SameSite=Lax", line, err)
			continue
		}
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return got
}

// start begins a login. It returns the target to which the host sends the browser
// back.
func (b *browser) start(t *testing.T, system vcs.VCS, query string) string {
	t.Helper()
	got := b.get(t, "/api/v1/"+string(system)+"/login"+query)
	if got.StatusCode != http.StatusSeeOther || b.cookies[loginCookie] == "" {
		t.Fatalf("start: got %d %s", got.StatusCode, got.Body)
	}
	return callbacks[system] + "?" + b.vcs.Consent(t, got.Location()).Encode()
}

// user returns the user of the browser's session. It returns false if there is no
// valid session.
func (b *browser) user(t *testing.T) (user.User, bool) {
	t.Helper()
	id, ok := session.IDOf(b.cookies[session.Cookie])
	if !ok {
		return user.User{}, false
	}
	found, err := b.tests.sessions.Get(t.Context(), id)
	if err != nil || !found.LiveAt(b.Clock.Now()) {
		return user.User{}, false
	}
	u, err := b.tests.people.Users.Get(t.Context(), found.User)
	if err != nil {
		t.Fatal(err)
	}
	return u, true
}
