//go:build unix

package journey

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// hosts are stand-ins for GitHub and GitLab, on one address. They serve the server's own
// requests, the login of one person, and accounts of many others who have logged in before.
type hosts struct {
	url    string
	github *vcstest.GitHub
	gitlab *vcstest.GitLab
	// people has the person who logs in through a browser.
	people *vcstest.People

	mu    sync.Mutex
	crowd map[string]onlooker // by token
}

// onlooker is an account at GitHub, and the installations that it sees.
type onlooker struct {
	id    int64
	login string
	sees  []int64
}

func newHosts(t *testing.T) *hosts {
	h := &hosts{github: vcstest.NewGitHub(t), gitlab: vcstest.NewGitLab(t), people: vcstest.NewPeople(t), crowd: map[string]onlooker{}}
	proxy := func(address, base string) http.Handler {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return http.StripPrefix(base, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }})
	}
	people := proxy(h.people.URL, "/api/v3")
	person := h.gitlab.Account(int64(h.people.Person.ID), h.people.Person.Login)
	mux := http.NewServeMux()
	mux.Handle("/api/v3/", h.github)
	mux.HandleFunc("GET /api/v3/user", h.as(people, func(o onlooker) any { return map[string]any{"id": o.id, "login": o.login} }))
	mux.HandleFunc("GET /api/v3/user/installations", h.as(people, func(o onlooker) any {
		list := []any{}
		for _, id := range o.sees {
			list = append(list, map[string]any{"id": id})
		}
		return map[string]any{"installations": list}
	}))
	mux.HandleFunc("/api/v4/", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == Bearer(vcstest.PersonToken) {
			r.Header.Set("Authorization", Bearer(person))
		}
		h.gitlab.ServeHTTP(w, r)
	})
	mux.Handle("/", proxy(h.people.URL, ""))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// as serves the requests of accounts in the crowd, and passes other requests on.
func (h *hosts) as(next http.Handler, answer func(onlooker) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		o, ok := h.crowd[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		h.mu.Unlock()
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer(o))
	}
}

// account makes an account at both hosts that sees installations of GitHub, and returns its
// tokens by VCS.
func (h *hosts) account(id int64, login string, sees ...Installation) map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	tokens := map[string]string{"github": "ghu_" + login, "gitlab": h.gitlab.Account(id, login)}
	o := onlooker{id: id, login: login}
	for _, i := range sees {
		n, _ := strconv.ParseInt(i.ID, 10, 64)
		o.sees = append(o.sees, n)
	}
	h.crowd[tokens["github"]] = o
	return tokens
}

// launch starts a stack of its own. The stack is an application at the hosts.
func (h *hosts) launch(t *testing.T) *Stack {
	t.Helper()
	state := t.TempDir()
	secrets := map[string]string{"app-key": h.github.Key, "client": "s3cret"}
	if err := os.MkdirAll(filepath.Join(state, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range secrets {
		if err := os.WriteFile(filepath.Join(state, "secrets", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var parameters []string
	for name, value := range map[string]string{
		"GithubAppId": strconv.Itoa(vcstest.AppID), "GithubAppPrivateKey": "app-key", "GithubAppClientId": "Iv1.x", "GithubClientSecret": "client",
		"GithubWebBaseUrl": h.url, "GithubApiBaseUrl": h.url + vcstest.GitHubPath,
		"GitlabAppId": "abc", "GitlabAppSecret": "client", "GitlabWebBaseUrl": h.url, "GitlabApiBaseUrl": h.url + vcstest.GitLabPath,
	} {
		parameters = append(parameters, name+"="+value)
	}
	s, err := Launch(state, "PARAMETERS="+strings.Join(parameters, " "))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the stack printed:\n%s", s.Printed())
		}
	})
	return s
}

// consent gives the person's consent at the address to which the server sent the browser. It
// returns the query with which the browser comes back.
func (h *hosts) consent(t *testing.T, address string) string {
	t.Helper()
	path, ok := strings.CutPrefix(address, h.url)
	if !ok {
		t.Fatalf("the browser was sent to %s, want the host", address)
	}
	return h.people.Consent(t, h.people.URL+path).Encode()
}
