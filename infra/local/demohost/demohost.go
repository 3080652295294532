// Package demohost stands in for GitHub and GitLab beside a local stack. The stack starts it if
// the user has configured neither host. So a user can try, on a laptop, the requests that need
// a host. The stand-ins have the repositories of the deliveries that "make demo" sends.
package demohost

import (
	"context"
	"crypto/rsa"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// Hosts are the stand-ins for GitHub and GitLab. Both have the same address on the loopback
// interface.
type Hosts struct {
	server *http.Server
	url    string
}

// Ids of what the hosts have. Ann administers everything.
const (
	installation = "424242"
	group        = 77
	ann, bot     = 7, 9
)

// Start runs the hosts until Close. key is the App's private key: with it the stand-in for
// GitHub verifies the App.
func Start(key *rsa.PrivateKey) (*Hosts, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("stand in for GitHub and GitLab: %w", err)
	}
	github, gitlab := vcstest.MakeGitHub(key), vcstest.MakeGitLab()
	fill(github, gitlab)
	h := &Hosts{url: "http://" + listener.Addr().String()}
	h.server = &http.Server{ReadHeaderTimeout: 30 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, vcstest.GitHubPath+"/") {
			github.ServeHTTP(w, r)
			return
		}
		gitlab.ServeHTTP(w, r)
	})}
	go func() { _ = h.server.Serve(listener) }()
	return h, nil
}

// Close ends the hosts.
func (h *Hosts) Close() { _ = h.server.Shutdown(context.Background()) }

// Parameters returns the template's parameters that make the functions use these hosts. key is
// the name of the secret that holds the App's private key.
func (h *Hosts) Parameters(key string) map[string]string {
	return map[string]string{
		"GithubAppId": strconv.Itoa(vcstest.AppID), "GithubAppPrivateKey": key,
		"GithubApiBaseUrl": h.url + vcstest.GitHubPath, "GitlabApiBaseUrl": h.url + vcstest.GitLabPath,
	}
}

// fill gives the hosts everything that the demo's deliveries name, and one more repository that
// only a refresh finds.
func fill(github *vcstest.GitHub, gitlab *vcstest.GitLab) {
	day := time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
	repository := func(id int64, name string, archived bool, files ...string) vcstest.Repository {
		return vcstest.Repository{
			ID: id, Owner: "acme", Name: name, DefaultBranch: "main", Private: true, Archived: archived, UpdatedAt: day, Files: files,
		}
	}
	const workflow = ".github/workflows/terrateam.yml"
	github.Install(installation,
		repository(99001122, "infra", false, workflow), repository(99001133, "platform", false, workflow),
		repository(99001144, "legacy", true), repository(99001155, "modules", false))
	github.Role("acme", "ann", ann, "admin")
	project := func(id int64, name string, archived bool) vcstest.Project {
		return vcstest.Project{ID: id, PathWithNamespace: "acme-group/" + name, DefaultBranch: "main", Archived: archived, UpdatedAt: day}
	}
	gitlab.Account(ann, "ann")
	gitlab.Account(bot, "bot")
	gitlab.Set(vcstest.Group{
		ID: group, FullPath: "acme-group", FullName: "acme-group",
		Direct: map[int64]int{ann: 50}, Inherited: map[int64]int{ann: 50, bot: 40},
		Projects: []vcstest.Project{project(501, "network", false), project(502, "dns", false), project(503, "storage", true), project(504, "backup", false)},
	})
}
