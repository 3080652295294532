package vcssetup_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/opsplane/opsplane/infra/admin/vcssetup"
	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// memory keeps secrets in memory, records their order, and may fail.
type memory struct {
	mu     sync.Mutex
	texts  map[string]string
	order  []string
	before func(ctx context.Context, name string) error // called before each Put
}

func (m *memory) Get(_ context.Context, name string) (string, error) { return m.texts[name], nil }

func (m *memory) Has(_ context.Context, name string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.texts[name]
	return ok, nil
}

func (m *memory) Put(ctx context.Context, name, text string) error {
	if m.before != nil {
		if err := m.before(ctx, name); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.texts[name] = text
	m.order = append(m.order, name)
	return nil
}

// creation returns a creation at a host, which stores into secrets.
func creation(host *vcstest.GitHub, secrets vcssetup.Secrets) vcssetup.Creation {
	return vcssetup.Creation{
		App: vcssetup.App{Name: "Opsplane", APIURL: api}, WebURL: vcssetup.PublicWeb, HostAPIURL: host.API, Secrets: secrets, Prefix: "ops-",
	}
}

// back returns the address to which GitHub sends the browser, with a code.
func back(form *url.URL, manifest map[string]any, code string) string {
	return manifest["redirect_url"].(string) + "?" + url.Values{"state": {form.Query().Get("state")}, "code": {code}}.Encode()
}

func TestSecretsOfAnotherAppAreNotReplacedUnasked(t *testing.T) {
	t.Parallel()
	host := vcstest.NewGitHub(t)
	for _, name := range []string{"ops-github-app-private-key", "ops-github-webhook-secret", "ops-github-client-secret"} {
		m := &memory{texts: map[string]string{name: "of the live App"}}
		c := creation(host, m)
		c.Open = func(string) { t.Error("a browser was opened") }
		if _, err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "--replace") {
			t.Errorf("%s: %v", name, err)
		}
		if m.texts[name] != "of the live App" || len(m.order) > 0 {
			t.Errorf("%s: stored %v", name, m.order)
		}
	}
	m := &memory{texts: map[string]string{"ops-github-client-secret": "of the live App"}}
	c := creation(host, m)
	c.Replace = true
	form, manifest, end := begin(t, c)
	get(t, back(form, manifest, host.Code()), http.StatusOK)
	if _, err := end(); err != nil || m.texts["ops-github-client-secret"] != vcstest.ClientSecret {
		t.Errorf("replaced: %v", err)
	}
	if want := []string{"ops-github-app-private-key", "ops-github-webhook-secret", "ops-github-client-secret"}; !slices.Equal(m.order, want) {
		t.Errorf("stored in the order %v", m.order)
	}
}

func TestAppWithoutOneOfItsSecretsStoresNone(t *testing.T) {
	t.Parallel()
	host := vcstest.NewGitHub(t)
	host.Fail(vcstest.Failure{Match: "/conversions", Status: http.StatusCreated, Body: `{"id":1,"pem":"key","webhook_secret":"w","html_url":"https://github.example.com/apps/x"}`})
	m := &memory{texts: map[string]string{}}
	form, manifest, end := begin(t, creation(host, m))
	get(t, back(form, manifest, host.Code()), http.StatusBadGateway)
	if _, err := end(); err == nil || !strings.Contains(err.Error(), "without a github client secret") || len(m.order) > 0 {
		t.Errorf("%v; stored %v", err, m.order)
	}
}

func TestPageIsServedAtItsOwnAddressAlone(t *testing.T) {
	t.Parallel()
	host := vcstest.NewGitHub(t)
	form, manifest, end := begin(t, creation(host, &memory{texts: map[string]string{}}))
	u, err := url.Parse(manifest["redirect_url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	page := "http://" + u.Host + strings.TrimSuffix(u.Path, "/created")
	for address, c := range map[string]struct {
		host   string
		status int
	}{
		page:                       {u.Host, http.StatusOK},
		page + "?":                 {"rebound.example.com", http.StatusMisdirectedRequest},
		"http://" + u.Host + "/":   {u.Host, http.StatusNotFound},
		back(form, manifest, "x"):  {"rebound.example.com", http.StatusMisdirectedRequest},
		"http://" + u.Host + "/a/": {u.Host, http.StatusNotFound},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = c.host
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != c.status {
			t.Errorf("%s as %s: %s, want %d", address, c.host, answer.Status, c.status)
		}
	}
	get(t, back(form, manifest, host.Code()), http.StatusOK)
	if _, err := end(); err != nil {
		t.Error(err)
	}
}

// TestInterruptionTellsTheTruth ends the command before the browser is back, and
// also while the secrets are being stored.
func TestInterruptionTellsTheTruth(t *testing.T) {
	t.Parallel()
	host := vcstest.NewGitHub(t)
	ctx, interrupt := context.WithCancel(t.Context())
	c := creation(host, &memory{texts: map[string]string{}})
	c.Open = func(string) { interrupt() }
	if _, err := c.Run(ctx); err == nil || !strings.Contains(err.Error(), "no secrets are stored") {
		t.Errorf("before: %v", err)
	}

	ctx, interrupt = context.WithCancel(t.Context())
	defer interrupt()
	m := &memory{texts: map[string]string{}, before: func(ctx context.Context, _ string) error { interrupt(); return ctx.Err() }}
	form, manifest, end := beginIn(ctx, t, creation(host, m))
	get(t, back(form, manifest, host.Code()), http.StatusOK)
	if app, err := end(); err != nil || app.ID != vcstest.AppID || len(m.order) != 3 {
		t.Errorf("meanwhile: %+v, %v; stored %v", app, err, m.order)
	}
}

func TestSecretThatCannotBeStoredSaysWhichAndOfWhichApp(t *testing.T) {
	t.Parallel()
	host := vcstest.NewGitHub(t)
	m := &memory{texts: map[string]string{}, before: func(_ context.Context, name string) error {
		if name == "ops-github-webhook-secret" {
			return errors.New("no space")
		}
		return nil
	}}
	form, manifest, end := begin(t, creation(host, m))
	get(t, back(form, manifest, host.Code()), http.StatusBadGateway)
	if _, err := end(); err == nil || !strings.Contains(err.Error(), "store ops-github-webhook-secret of App 1001: no space; delete the App at") {
		t.Errorf("%v", err)
	}
}

func TestFolderKeepsSecretsFromOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	if err := os.WriteFile(file, []byte("older and longer"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := vcssetup.Folder(dir)
	if err := f.Put(t.Context(), "key", "new"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if text, err := f.Get(t.Context(), "key"); err != nil || text != "new" {
		t.Errorf("%q, %v", text, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	for name, want := range map[string]bool{"key": true, "other": false} {
		if got, err := f.Has(t.Context(), name); err != nil || got != want {
			t.Errorf("has %s: %t, %v", name, got, err)
		}
	}
	if _, err := vcssetup.Folder(filepath.Join(dir, "key")).Has(t.Context(), "x"); err == nil {
		t.Error("a folder that is a file has no secret, and no error")
	}
}
