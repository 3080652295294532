// Package demohost stands in for GitHub and GitLab beside a local stack. The stack starts it if
// the user has configured neither host. So a user can try, on a laptop, the requests that need
// a host. The stand-ins have the repositories of the deliveries that "make demo" sends, and
// they run CI jobs: each starts a runner that plans and applies the repository's files.
package demohost

import (
	"context"
	"crypto/rsa"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// Config says where the hosts find the stack, and where they keep what they need.
type Config struct {
	// Key is the App's private key: with it the stand-in for GitHub verifies the App.
	Key *rsa.PrivateKey
	// Server is the address of the stack, to which the hosts send deliveries.
	Server string
	// GitHubSecret signs the deliveries of GitHub. GitLabToken is that of the webhook of
	// the group 77.
	GitHubSecret, GitLabToken string
	// States is the folder of the states of Terraform. They outlive the hosts.
	States string
	// Log returns the log of a CI job.
	Log func() io.WriteCloser
}

// Hosts are the stand-ins for GitHub and GitLab. Both have the same address on the loopback
// interface.
type Hosts struct {
	server *http.Server
	url    string
	ci     *ci
	end    context.CancelFunc // of the CI jobs
}

// Start runs the hosts until Close.
func Start(c Config) (*Hosts, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("stand in for GitHub and GitLab: %w", err)
	}
	github, gitlab := vcstest.MakeGitHub(c.Key), vcstest.MakeGitLab()
	fill(github, gitlab)
	h := &Hosts{url: "http://" + listener.Addr().String(), ci: &ci{config: c, free: make(chan struct{}, maxJobs)}}
	h.ci.context, h.end = context.WithCancel(context.Background())
	h.startCI(github, gitlab)
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

// startCI makes both hosts run CI jobs.
func (h *Hosts) startCI(github *vcstest.GitHub, gitlab *vcstest.GitLab) {
	// The ids of an earlier start must not come again, because runs are stored with them.
	github.CI.First = time.Now().Unix()
	gitlab.CI.First = github.CI.First
	h.ci.attach(host{
		CI: &github.CI, running: progress{"in_progress", ""}, succeeded: progress{"completed", "success"},
		failed: progress{"completed", "failure"}, cancelled: progress{"completed", "cancelled"}, deliver: h.ci.deliverGitHub,
	})
	h.ci.attach(host{
		CI: &gitlab.CI, gitlab: true, running: progress{status: "running"}, succeeded: progress{status: "success"},
		failed: progress{status: "failed"}, cancelled: progress{status: "canceled"}, deliver: h.ci.deliverGitLab,
	})
}

// Close ends the hosts and their CI jobs.
func (h *Hosts) Close() {
	h.end()
	_ = h.server.Shutdown(context.Background())
	h.ci.jobs.Wait()
}

// Parameters returns the template's parameters that make the functions use these hosts. key is
// the name of the secret that holds the App's private key.
func (h *Hosts) Parameters(key string) map[string]string {
	return map[string]string{
		"GithubAppId": strconv.Itoa(vcstest.AppID), "GithubAppPrivateKey": key,
		"GithubApiBaseUrl": h.url + vcstest.GitHubPath, "GitlabApiBaseUrl": h.url + vcstest.GitLabPath,
	}
}
