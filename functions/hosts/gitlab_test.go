package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/webhook"
)

const (
	hookPath  = "/api/v1/gitlab/installations/77/webhook"
	tokenPath = "/api/v1/gitlab/installations/77/access-token"
)

// expect sends a request and compares the response.
func (r *rig) expect(t *testing.T, method, path, body string, status int, want string) {
	t.Helper()
	if got, text := r.ask(t, method, path, body); got != status || want == "" && text != "" || !strings.Contains(text, want) {
		t.Errorf("%s %s: %d %s, want %d %s", method, path, got, text, status, want)
	}
}

// bot creates an access token of the group's own account.
func (r *rig) bot(scopes ...string) string {
	token := r.gitlab.Account(9, "acme-bot")
	r.gitlab.Limit(token, born.AddDate(1, 0, 0), scopes...)
	return token
}

func TestGroupsAreThoseOfTheCallerByName(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for id, name := range map[int64]string{1: "Zoo", 2: "Acme / Platform", 3: "Beta"} {
		r.gitlab.Set(vcstest.Group{ID: id, FullName: name, Inherited: map[int64]int{ann: 10}})
	}
	r.gitlab.Set(vcstest.Group{ID: 4, FullName: "Others"})
	r.expect(t, "GET", "/api/v1/gitlab/groups", "", 200,
		`[{"id":77,"name":"Acme"},{"id":2,"name":"Acme / Platform"},{"id":3,"name":"Beta"},{"id":1,"name":"Zoo"}]`)
	r.expect(t, "GET", "/api/v1/github/groups", "", 404, "")
	r.gitlab.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusUnauthorized})
	r.expect(t, "GET", "/api/v1/gitlab/groups", "", 403, "")
}

func TestRestrictedCredentialSeesItsGroupsAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.gitlab.Set(vcstest.Group{ID: 78, FullName: "Beta", Inherited: map[int64]int{ann: 10}})
	for want, capabilities := range map[string]access.Set{
		`[{"id":77,"name":"Acme"},{"id":78,"name":"Beta"}]`: {access.VCS("gitlab")},
		`[{"id":78,"name":"Beta"}]`:                         {access.Installation("78")},
		`[]`:                                                {access.Installation("79")},
	} {
		r.Caller.Capabilities = capabilities
		if status, body := r.ask(t, "GET", "/api/v1/gitlab/groups", ""); status != 200 || body != want {
			t.Errorf("%v: got %d %s, want %s", capabilities, status, body, want)
		}
	}
}

func TestPersonWhomGitLabForbidsItsOwnGroupsHasToLogInAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.gitlab.Fail(vcstest.Failure{Match: "GET /groups", Status: http.StatusForbidden})
	for _, path := range []string{"/api/v1/gitlab/groups", "/api/v1/gitlab/installations", hookPath} {
		r.expect(t, "GET", path, "", 403, "")
	}
}

func TestGroupThatTheOperatorHasNotNamedBecomesNoInstallation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		list   string
		status int
	}{
		"none is named":             {"", 200},
		"by its path":               {"other, ACME/platform/Network", 200},
		"by its id":                 {"78,77", 200},
		"by the path of the top":    {"acme", 200},
		"by the id of the top":      {" 70 ", 200},
		"by the id of one between":  {"other,71", 200},
		"another group":             {"other", 400},
		"another id":                {"7,78", 400},
		"a path that begins alike":  {"acm,acme/plat", 400},
		"a group within it":         {"acme/platform/network/deep", 400},
		"the last part of its path": {"network,platform/network", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.hosts.allowed = readAllowed(c.list)
			levels := map[int64]int{ann: 40, 9: 30}
			r.gitlab.Set(vcstest.Group{ID: 70, FullPath: "acme", Inherited: levels})
			r.gitlab.Set(vcstest.Group{ID: 71, FullPath: "acme/platform", Inherited: levels})
			r.gitlab.Set(vcstest.Group{ID: 77, FullPath: "acme/platform/network", FullName: "Network", Inherited: levels})
			want := "pending"
			if c.status == 400 {
				want = "GROUP_NOT_ALLOWED"
			}
			r.expect(t, "GET", hookPath, "", c.status, want)
			body := `{"access_token":"` + r.bot("api") + `"}`
			if status, text := r.ask(t, "PUT", tokenPath, body); status != c.status || c.status == 400 && !strings.Contains(text, want) {
				t.Errorf("token: %d %s", status, text)
			}
			_, err := r.people.Installations.Get(t.Context(), vcs.Installation{VCS: "gitlab", ID: "77"})
			_, tokenErr := r.tokens.Get(t.Context(), "77")
			if made := err == nil || tokenErr == nil; made != (c.status == 200) {
				t.Errorf("made an installation: %t", made)
			}
			r.gitlab.Set(vcstest.Group{ID: 77, FullPath: "acme/platform/network", Inherited: map[int64]int{ann: 30}})
			r.expect(t, "GET", hookPath, "", 403, "") // a caller who is not a maintainer learns nothing about the list
		})
	}
}

// GitLab reads a path of digits as an id.
func TestGroupWhosePathIsAnAllowedIdBecomesNoInstallation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.hosts.allowed = readAllowed("70")
	levels := map[int64]int{ann: 40, 9: 30}
	r.gitlab.Set(vcstest.Group{ID: 70, FullPath: "acme", Inherited: levels})
	r.gitlab.Set(vcstest.Group{ID: 90, FullPath: "70", Inherited: levels})
	r.gitlab.Set(vcstest.Group{ID: 77, FullPath: "70/mine", Inherited: levels})
	r.expect(t, "GET", hookPath, "", 400, "GROUP_NOT_ALLOWED")
}

func TestLongNameOfAGroupIsCutBetweenTwoCharacters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.gitlab.Set(vcstest.Group{ID: 77, FullName: "Acme / " + strings.Repeat("é", 200), Inherited: map[int64]int{ann: 40}})
	r.expect(t, "GET", hookPath, "", 200, "pending")
	if known, err := r.people.Installations.Get(t.Context(), vcs.Installation{VCS: "gitlab", ID: "77"}); err != nil || known.Name != strings.Repeat("é", installation.MaxName/2) {
		t.Errorf("name %q, %v", known.Name, err)
	}
}

func TestWebhookMakesAnInstallationThatIsPendingUntilItDelivers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var first, later webhookResponse
	for _, response := range []*webhookResponse{&first, &later} {
		status, body := r.ask(t, "GET", hookPath, "")
		if err := json.Unmarshal([]byte(body), response); err != nil || status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	key, err := secret.Derive(serverSecret, webhook.Purpose)
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := webhook.Installation(key, first.Secret); !ok || id != "77" || len(first.Secret) != 64 || first != later ||
		first.State != "pending" || first.URL != "https://ops.example.com/api/v1/gitlab/events" {
		t.Errorf("first %+v, then %+v", first, later)
	}
	known, err := r.people.Installations.Get(t.Context(), vcs.Installation{VCS: "gitlab", ID: "77"})
	if err != nil || known.Name != "Acme" || known.State != installation.Unknown {
		t.Errorf("installation %+v, %v", known, err)
	}
	if err := r.people.Installations.Delivered(t.Context(), author(), vcs.Installation{VCS: "gitlab", ID: "77"}); err != nil {
		t.Fatal(err)
	}
	r.expect(t, "GET", hookPath, "", 200, `"state":"installed"`)
	if got := r.list(t, "gitlab"); got != "77 Acme installed; " {
		t.Errorf("listed: %s", got)
	}
}

func TestGroupIsItsMaintainersAlone(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(*rig){
		"developer": func(r *rig) { r.gitlab.Set(vcstest.Group{ID: 77, Inherited: map[int64]int{ann: 30}}) },
		"no member": func(r *rig) { r.gitlab.Set(vcstest.Group{ID: 77}) },
		"credential for another installation": func(r *rig) {
			r.Caller.Capabilities = access.Set{access.AccessTokenCreate, access.Installation("78")}
		},
		"credential for another VCS":  func(r *rig) { r.Caller.Capabilities = access.Set{access.AccessTokenCreate, access.VCS("github")} },
		"person who never logged in":  func(r *rig) { r.Caller.User = r.nobody() },
		"user who is gone":            func(r *rig) { r.Caller.User = "gone" },
		"grant that was taken back":   func(r *rig) { r.gitlab.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusUnauthorized}) },
		"API key instead of a token":  func(r *rig) { r.Caller.Kind = access.KindAPIKey },
		"token of a run":              func(r *rig) { r.Caller.Capabilities = access.Set{access.KVStoreRead, access.KVStoreWrite} },
		"no credential that is alive": func(r *rig) { r.Caller.Expires = born.Unix() - 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			token := r.bot("api")
			arrange(r)
			r.expect(t, "GET", hookPath, "", 403, "")
			r.expect(t, "PUT", tokenPath, `{"access_token":"`+token+`"}`, 403, "")
			if _, err := r.people.Installations.Get(t.Context(), vcs.Installation{VCS: "gitlab", ID: "77"}); err == nil {
				t.Error("the group became an installation")
			}
		})
	}
}

// nobody returns the id of a user without accounts.
func (r *rig) nobody() string {
	u, err := r.people.Users.Create(context.Background(), "machine", author())
	if err != nil {
		panic(err)
	}
	return u.ID
}

func TestAccessTokenIsTriedBeforeItIsStoredAndNeverReadBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	put := func(token string) string { return `{"access_token":"` + token + `"}` }
	good := r.bot("api", "read_api")
	for name, c := range map[string]struct{ body, want string }{
		"unknown to GitLab": {put("glpat-wrong"), "GitLab does not take it"},
		"a login's":         {put(r.gitlab.Account(8, "eve")), "make a group access token"},
		"no token":          {`{}`, `\"access_token\" is required`},
		"empty":             {put(""), "printable"},
		"two lines":         {put(`a\nb`), "printable"},
		"too long":          {put(strings.Repeat("x", 501)), "printable"},
		"no JSON":           {`access_token=x`, "INVALID_BODY"},
	} {
		if status, body := r.ask(t, "PUT", tokenPath, c.body); status != 400 || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	narrow := r.gitlab.Account(12, "narrow")
	r.gitlab.Limit(narrow, born.AddDate(1, 0, 0), "read_api")
	r.expect(t, "PUT", tokenPath, put(narrow), 400, "lacks the scope api, and has read_api")
	r.gitlab.Limit(narrow, born, "api")
	r.expect(t, "PUT", tokenPath, put(narrow), 400, "expires within a day")
	r.gitlab.Limit(narrow, born.AddDate(1, 0, 0), "api")
	r.expect(t, "PUT", tokenPath, put(narrow), 400, "does not reach the group")
	r.gitlab.Set(vcstest.Group{ID: 77, FullName: "Acme", Inherited: map[int64]int{ann: 40, 12: 20, 9: 30}})
	r.expect(t, "PUT", tokenPath, put(narrow), 400, "developer of the group")
	if _, err := r.tokens.Get(t.Context(), "77"); err == nil {
		t.Fatal("a token that was refused is stored")
	}
	r.expect(t, "PUT", tokenPath, put(good), 200, "")
	if got, err := r.tokens.Get(t.Context(), "77"); err != nil || got != good {
		t.Errorf("stored %v", err)
	}
	if known, err := r.people.Installations.Get(t.Context(), vcs.Installation{VCS: "gitlab", ID: "77"}); err != nil || known.Name != "Acme" {
		t.Errorf("installation %+v, %v", known, err)
	}
	stored := r.Env.Dump("SessionsTable")
	for _, text := range []string{good, "glpat-"} {
		if strings.Contains(stored, text) || strings.Contains(r.Log.String(), text) {
			t.Errorf("the table or the log has %s", text)
		}
	}
}

func TestServersOwnAccountIsLookedForByNumberBehindTokensThatEnded(t *testing.T) {
	t.Parallel()
	const who = "/api/v1/gitlab/whoareyou"
	r := newRig(t)
	for _, id := range []int64{5, 40, 300} {
		r.gitlab.Set(vcstest.Group{ID: id, FullName: "Group", Inherited: map[int64]int{ann: 40, 9: 30}})
		r.expect(t, "GET", strings.Replace(hookPath, "77", strconv.FormatInt(id, 10), 1), "", 200, "pending")
	}
	r.list(t, "gitlab")
	store := func(group, token string) {
		if err := r.tokens.Put(t.Context(), vcs.ID(group), token, author()); err != nil {
			t.Fatal(err)
		}
	}
	store("5", "glpat-revoked")
	r.expect(t, "GET", who, "", 503, "HOST_REFUSED")
	store("300", r.gitlab.Account(300, "last-bot"))
	r.expect(t, "GET", who, "", 200, "last-bot")
	store("40", r.gitlab.Account(40, "next-bot"))
	r.expect(t, "GET", who, "", 200, "next-bot")
	r.expect(t, "GET", who+"?installation_id=5", "", 503, "HOST_REFUSED")
	r.gitlab.Fail(vcstest.Failure{Match: "GET /user", Status: http.StatusForbidden, Times: 1})
	r.expect(t, "GET", who, "", 200, "next-bot")
	r.gitlab.Fail(vcstest.Failure{Match: "GET /user", Status: http.StatusTooManyRequests})
	r.expect(t, "GET", who, "", 503, "HOST_LIMIT")
}

func TestGroupTokenThatEndsBetweenTwoRequestsSaysNothingAboutTheMembership(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const member = "/api/v1/gitlab/groups/77/is-member"
	r.expect(t, "GET", hookPath, "", 200, "pending")
	r.list(t, "gitlab") // stores the caller's membership
	r.expect(t, "PUT", tokenPath, `{"access_token":"`+r.bot("api")+`"}`, 200, "")
	r.gitlab.Fail(vcstest.Failure{Match: "GET /groups/77/members", Status: http.StatusUnauthorized, Times: 1})
	r.expect(t, "GET", member, "", 503, "HOST_UNAVAILABLE")
	r.expect(t, "GET", member, "", 200, `{"result":true}`)
	// A token that GitLab refuses from the first request on is not that of a member.
	r.gitlab.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusUnauthorized})
	r.expect(t, "GET", member, "", 200, `{"result":false}`)
}

func TestServersOwnAccountIsShownToMembers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const member, who = "/api/v1/gitlab/groups/77/is-member", "/api/v1/gitlab/whoareyou"
	r.expect(t, "GET", member, "", 403, "")
	r.expect(t, "GET", who, "", 404, "")
	r.expect(t, "GET", hookPath, "", 200, "pending")
	r.list(t, "gitlab") // stores the caller's membership
	r.expect(t, "GET", member, "", 200, `{"result":false}`)
	r.expect(t, "GET", who, "", 404, "")
	r.expect(t, "PUT", tokenPath, `{"access_token":"`+r.bot("api")+`"}`, 200, "")
	r.expect(t, "GET", member, "", 200, `{"result":true}`)
	r.expect(t, "GET", who, "", 200, `{"id":9,"username":"acme-bot"}`)
	r.expect(t, "GET", who+"?installation_id=77", "", 200, `{"id":9,"username":"acme-bot"}`)
	r.expect(t, "GET", who+"?installation_id=78", "", 404, "")
	r.expect(t, "GET", who+"?installation_id=x", "", 400, "INVALID_PARAMETER")
	r.expect(t, "GET", "/api/v1/github/whoareyou", "", 404, "")
	r.expect(t, "GET", "/api/v1/gitlab/groups/x/is-member", "", 400, "INVALID_INSTALLATION_ID")
	r.gitlab.Set(vcstest.Group{ID: 77, FullName: "Acme", Inherited: map[int64]int{ann: 40}})
	r.expect(t, "GET", member, "", 200, `{"result":false}`)
	r.Caller.Capabilities = access.Set{access.AccessTokenCreate, access.Installation("78")}
	r.expect(t, "GET", member, "", 403, "")
	r.expect(t, "GET", who, "", 404, "")
	r.Caller.Capabilities = nil
	r.Clock.Set(born.Add(8 * 24 * time.Hour))
	r.Caller.Expires = r.Clock.Now().Unix() + 60
	r.expect(t, "GET", member, "", 403, "") // the host's statement has lapsed
}
