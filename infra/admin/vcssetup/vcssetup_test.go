package vcssetup_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/admin/vcssetup"
	"github.com/opsplane/opsplane/infra/test/vcstest"
)

const api = "https://ops.example.com"

// begin starts a creation. It returns the address at GitHub, the manifest, and a
// function that returns how the creation ends.
func begin(t *testing.T, c vcssetup.Creation) (form *url.URL, manifest map[string]any, end func() (vcssetup.Created, error)) {
	t.Helper()
	return beginIn(t.Context(), t, c)
}

// beginIn is begin for a creation that ends with a context.
func beginIn(ctx context.Context, t *testing.T, c vcssetup.Creation) (form *url.URL, manifest map[string]any, end func() (vcssetup.Created, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	opened := make(chan string, 1)
	c.Open = func(address string) { opened <- address }
	type outcome struct {
		app vcssetup.Created
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		app, err := c.Run(ctx)
		done <- outcome{app, err}
	}()
	page := get(t, <-opened, http.StatusOK)
	field := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("the page has no %s: %s", pattern, page)
		}
		return html.UnescapeString(m[1])
	}
	form, err := url.Parse(field(`action="([^"]*)"`))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(field(`name="manifest" value="([^"]*)"`)), &manifest); err != nil {
		t.Fatal(err)
	}
	return form, manifest, func() (vcssetup.Created, error) {
		o := <-done
		return o.app, o.err
	}
}

func get(t *testing.T, address string, status int) string {
	t.Helper()
	r, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != status {
		t.Fatalf("%s: %s, %v: %s", address, r.Status, err, body)
	}
	return string(body)
}

func TestAppIsCreatedWithOneClickAndItsSecretsAreStored(t *testing.T) {
	t.Parallel()
	host, dir := vcstest.NewGitHub(t), t.TempDir()
	form, manifest, end := begin(t, vcssetup.Creation{
		App: vcssetup.App{Name: "Opsplane", APIURL: api}, Organization: "acme", WebURL: "https://github.example.com", HostAPIURL: host.API,
		Secrets: vcssetup.Folder(dir), Prefix: "ops-",
	})
	if got := form.Host + form.Path; got != "github.example.com/organizations/acme/settings/apps/new" {
		t.Errorf("the form goes to %s", form)
	}
	hook := manifest["hook_attributes"].(map[string]any)
	if manifest["name"] != "Opsplane" || hook["url"] != api+"/api/github/v1/events" || manifest["public"] != false ||
		fmt.Sprint(manifest["callback_urls"]) != "["+api+"/api/github/v1/callback]" {
		t.Errorf("manifest %v", manifest)
	}
	back := manifest["redirect_url"].(string)
	// The page refuses a code without our state, and a code of another site.
	get(t, back+"?code="+host.Code(), http.StatusBadRequest)
	get(t, back+"?state=guess&code="+host.Code(), http.StatusBadRequest)
	get(t, back+"?"+url.Values{"state": {form.Query().Get("state")}, "code": {host.Code()}}.Encode(), http.StatusOK)
	app, err := end()
	if err != nil || app.ID != vcstest.AppID || app.ClientID != "Iv1.new" {
		t.Fatalf("%+v, %v", app, err)
	}
	want := map[string]string{
		"GithubAppId": strconv.Itoa(vcstest.AppID), "GithubAppClientId": "Iv1.new", "GithubAppUrl": "https://github.example.com/apps/opsplane",
		"GithubAppPrivateKey": "ops-github-app-private-key", "GithubWebhookSecret": "ops-github-webhook-secret",
		"GithubClientSecret": "ops-github-client-secret", "GithubWebBaseUrl": "https://github.example.com", "GithubApiBaseUrl": host.API,
	}
	if !maps.Equal(app.Parameters, want) {
		t.Errorf("parameters %v, want %v", app.Parameters, want)
	}
	for name, text := range map[string]string{
		"ops-github-app-private-key": host.Key, "ops-github-webhook-secret": vcstest.WebhookSecret, "ops-github-client-secret": vcstest.ClientSecret,
	} {
		file := filepath.Join(dir, name)
		got, err := os.ReadFile(file)
		info, err2 := os.Stat(file)
		if err != nil || err2 != nil || string(got) != text || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, err, info.Mode())
		}
	}
}

func TestCodeThatGitHubDoesNotKnowMakesNoApp(t *testing.T) {
	t.Parallel()
	host, dir := vcstest.NewGitHub(t), t.TempDir()
	form, manifest, end := begin(t, vcssetup.Creation{
		App: vcssetup.App{Name: "Opsplane", APIURL: api}, WebURL: vcssetup.PublicWeb, HostAPIURL: host.API, Secrets: vcssetup.Folder(dir),
	})
	if form.Host+form.Path != "github.com/settings/apps/new" {
		t.Errorf("the form goes to %s", form)
	}
	get(t, manifest["redirect_url"].(string)+"?"+url.Values{"state": {form.Query().Get("state")}, "code": {"used"}}.Encode(), http.StatusBadGateway)
	if _, err := end(); err == nil || !strings.Contains(err.Error(), "start again") {
		t.Errorf("%v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("stored %v, %v", files, err)
	}
}

// healthy returns a complete configuration.
func healthy(t *testing.T) (*vcssetup.Checks, *vcstest.GitHub, vcstest.App) {
	t.Helper()
	host, lab, dir := vcstest.NewGitHub(t), vcstest.NewGitLab(t), vcssetup.Folder(t.TempDir())
	for name, text := range map[string]string{
		"key": host.Key, "webhook": "0123456789abcdef", "client": "c", "lab": "s",
	} {
		if err := dir.Put(t.Context(), name, text); err != nil {
			t.Fatal(err)
		}
	}
	app := vcstest.App{
		Slug: "opsplane", ClientID: "Iv1.x", HookURL: api + "/api/github/v1/events", HookType: "json", Deliveries: []int{200, 200},
		Permissions: map[string]string{
			"actions": "write", "checks": "read", "contents": "write", "issues": "write", "members": "read", "metadata": "read",
			"pull_requests": "write", "statuses": "write",
		},
		Events: []string{"issue_comment", "pull_request", "pull_request_review", "push", "repository", "workflow_job", "workflow_run"},
	}
	host.SetApp(app)
	host.Install("42")
	return &vcssetup.Checks{
		APIURL: api, Secrets: dir, Parameters: map[string]string{
			"GithubAppId": strconv.Itoa(vcstest.AppID), "GithubAppClientId": "Iv1.x", "GithubAppPrivateKey": "key", "GithubWebhookSecret": "webhook",
			"GithubClientSecret": "client", "GithubApiBaseUrl": host.API, "GitlabAppId": "abc", "GitlabAppSecret": "lab", "GitlabApiBaseUrl": lab.API,
		},
	}, host, app
}

// missing returns what a check finds missing.
func missing(t *testing.T, c *vcssetup.Checks) []string {
	t.Helper()
	var found []string
	for _, f := range c.Run(t.Context()) {
		if !f.Good {
			found = append(found, f.What)
			if f.Do == "" {
				t.Errorf("%s: nothing says what to do", f.What)
			}
		}
	}
	return found
}

func TestNothingIsMissingWhereAllIsSetUpOrNothing(t *testing.T) {
	t.Parallel()
	c, _, _ := healthy(t)
	if got := missing(t, c); len(got) > 0 {
		t.Errorf("missing %v", got)
	}
	c, host, _ := healthy(t)
	if err := c.Secrets.Put(t.Context(), "key", `"`+strings.ReplaceAll(host.Key, "\n", `\n`)+`"`); err != nil {
		t.Fatal(err)
	}
	if got := missing(t, c); len(got) > 0 {
		t.Errorf("with a key in one line, quoted: missing %v", got)
	}
	if got := missing(t, &vcssetup.Checks{Parameters: map[string]string{}, Secrets: vcssetup.Folder(t.TempDir())}); len(got) > 0 {
		t.Errorf("of a stack without hosts: missing %v", got)
	}
}

func TestDeliveriesAreJudgedByTheNewest(t *testing.T) {
	t.Parallel()
	for want, statuses := range map[string][]int{
		"the last 3 deliveries arrived": {202, 204, 200},
		"the newest delivery arrived; 1 of the last 3 failed before: they can be delivered again": {200, 200, 403},
		"the App has delivered nothing yet": {},
	} {
		c, host, app := healthy(t)
		app.Deliveries = statuses
		host.SetApp(app)
		if !slices.ContainsFunc(c.Run(t.Context()), func(f vcssetup.Finding) bool { return f.Good && strings.HasPrefix(f.What, want) }) {
			t.Errorf("%v: no finding %q", statuses, want)
		}
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*vcssetup.Checks, *vcstest.GitHub, vcstest.App)
		want  string
	}{
		"no key": {func(c *vcssetup.Checks, _ *vcstest.GitHub, _ vcstest.App) { c.Parameters["GithubAppPrivateKey"] = "" }, "parameter GithubAppPrivateKey is empty"},
		"secret not there": {func(c *vcssetup.Checks, _ *vcstest.GitHub, _ vcstest.App) {
			c.Parameters["GithubClientSecret"] = "other"
		}, "secret other"},
		"short secret": {func(c *vcssetup.Checks, _ *vcstest.GitHub, _ vcstest.App) {
			c.Parameters["GithubWebhookSecret"] = "client"
		}, "it has 1 characters"},
		"key of no form": {func(c *vcssetup.Checks, _ *vcstest.GitHub, _ vcstest.App) {
			c.Parameters["GithubAppPrivateKey"] = "client"
		}, "it is neither PEM nor a key in base64"},
		"key that is cut": {func(c *vcssetup.Checks, h *vcstest.GitHub, _ vcstest.App) {
			if err := c.Secrets.Put(t.Context(), "key", h.Key[:len(h.Key)/2]); err != nil {
				t.Fatal(err)
			}
		}, "its end is missing"},
		"another App's id": {func(c *vcssetup.Checks, _ *vcstest.GitHub, _ vcstest.App) { c.Parameters["GithubAppId"] = "5" }, "does not accept App 5"},
		"id that is none":  {func(c *vcssetup.Checks, _ *vcstest.GitHub, _ vcstest.App) { c.Parameters["GithubAppId"] = "opsplane" }, "is not a number"},
		"another client id": {func(c *vcssetup.Checks, _ *vcstest.GitHub, _ vcstest.App) {
			c.Parameters["GithubAppClientId"] = "Iv1.y"
		}, `the App's is "Iv1.x"`},
		"permission": {func(_ *vcssetup.Checks, h *vcstest.GitHub, a vcstest.App) {
			a.Permissions = maps.Clone(a.Permissions)
			a.Permissions["contents"] = "read"
			delete(a.Permissions, "members")
			h.SetApp(a)
		}, "the App lacks permission contents: write, permission members: read"},
		"event": {func(_ *vcssetup.Checks, h *vcstest.GitHub, a vcstest.App) {
			a.Events = slices.DeleteFunc(slices.Clone(a.Events), func(e string) bool { return e == "push" })
			h.SetApp(a)
		}, "the App lacks event push"},
		"another address": {func(_ *vcssetup.Checks, h *vcstest.GitHub, a vcstest.App) {
			a.HookURL = "https://elsewhere.example.com"
			h.SetApp(a)
		}, "the App delivers to https://elsewhere.example.com"},
		"forms": {func(_ *vcssetup.Checks, h *vcstest.GitHub, a vcstest.App) {
			a.HookType = "form"
			h.SetApp(a)
		}, `the App delivers as "form"`},
		"red deliveries": {func(_ *vcssetup.Checks, h *vcstest.GitHub, a vcstest.App) {
			a.Deliveries = []int{403, 200, 413}
			h.SetApp(a)
		}, "2 of the last 3 deliveries failed, the newest with status 403"},
		"suspended installation": {func(_ *vcssetup.Checks, h *vcstest.GitHub, _ vcstest.App) {
			h.Suspend("42", true)
		}, "installation 42 (account-42) is suspended"},
		"permission that is not accepted": {func(_ *vcssetup.Checks, h *vcstest.GitHub, a vcstest.App) {
			accepted := maps.Clone(a.Permissions)
			delete(accepted, "members")
			h.Accept(accepted)
		}, "installation 42 (account-42) has not accepted permission members: read"},
		"another server that asks for credentials": {func(c *vcssetup.Checks, _ *vcstest.GitHub, _ vcstest.App) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = w.Write([]byte(`{"message":"Requires authentication"}`))
			}))
			t.Cleanup(server.Close)
			c.Parameters["GitlabApiBaseUrl"] = server.URL
		}, "is not a GitLab: status 401"},
		"GitLab elsewhere": {func(c *vcssetup.Checks, h *vcstest.GitHub, _ vcstest.App) { c.Parameters["GitlabApiBaseUrl"] = h.API }, "is not a GitLab: status 404"},
		"GitLab down": {func(c *vcssetup.Checks, _ *vcstest.GitHub, _ vcstest.App) {
			c.Parameters["GitlabApiBaseUrl"] = "http://127.0.0.1:1"
		}, "GitLab does not respond"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checks, host, app := healthy(t)
			c.spoil(checks, host, app)
			got := missing(t, checks)
			if len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Errorf("missing %q, want %q alone", got, c.want)
			}
		})
	}
}

// offline fails every request.
type offline struct{}

// RoundTrip implements http.RoundTripper.
func (offline) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("offline") }

func TestCheckAsksForNamedGroupsAtGitlabCom(t *testing.T) {
	t.Parallel()
	for groups, open := range map[string]bool{"": true, "12345": false} {
		c, _, _ := healthy(t)
		c.Client = &http.Client{Transport: offline{}}
		c.Parameters["GitlabApiBaseUrl"], c.Parameters["GitlabGroups"] = "https://gitlab.com/api", groups
		if got := strings.Contains(strings.Join(missing(t, c), " "), "anybody with an account"); got != open {
			t.Errorf("with groups %q: found open %t, want %t", groups, got, open)
		}
	}
}
