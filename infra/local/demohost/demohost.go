// Package demohost stands in for GitHub and GitLab beside a local stack. The stack starts it if
// the user has configured neither host. So a user can try, on a laptop, the requests that need
// a host. The stand-ins have the repositories of the deliveries that "make demo" sends, with
// real git repositories behind them. They run CI jobs: each checks a commit out and starts a
// runner that plans and applies its files. People act at them with "make host", and see pull
// requests on their pages.
package demohost

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"sync"
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
	// Repositories is the folder of the git repositories. They outlive the hosts.
	Repositories string
	// Log returns the log of a CI job, or of the hosts themselves.
	Log func() io.WriteCloser
}

// report writes an error of the hosts themselves into the log.
func (c Config) report(err error) {
	log := c.Log()
	_, _ = fmt.Fprintf(log, "the stand-in for GitHub and GitLab: %v\n", err)
	_ = log.Close()
}

// Hosts are the stand-ins for GitHub and GitLab. Both have the same address on the loopback
// interface.
type Hosts struct {
	// URL is the address of the pages for people.
	URL string

	server     *http.Server
	desk       *desk
	ci         *ci
	deliveries *deliveries
	kept       []keeper
	end        context.CancelFunc // of the CI jobs and the deliveries
	sending    sync.WaitGroup
}

// Start runs the hosts until Close.
func Start(c Config) (*Hosts, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return nil, errors.New("git is not installed, or not on the PATH: the stand-ins for GitHub and GitLab keep repositories with it")
	}
	h, mux, err := prepare(c)
	if err != nil {
		return nil, fmt.Errorf("stand in for GitHub and GitLab: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.end()
		return nil, fmt.Errorf("stand in for GitHub and GitLab: %w", err)
	}
	h.URL = "http://" + listener.Addr().String()
	h.desk.url = h.URL
	h.server = &http.Server{ReadHeaderTimeout: 30 * time.Second, Handler: mux}
	h.sending.Go(func() { h.deliveries.run(h.ci.context) })
	go func() { _ = h.server.Serve(listener) }()
	return h, nil
}

// prepare makes the hosts, as an earlier start has left them.
func prepare(c Config) (*Hosts, *http.ServeMux, error) {
	github, gitlab := vcstest.MakeGitHub(c.Key), vcstest.MakeGitLab()
	git, err := fill(github, gitlab, c.Repositories, c.report)
	if err != nil {
		return nil, nil, err
	}
	h := &Hosts{kept: keepers(c.Repositories, github, gitlab), desk: &desk{places: map[string]place{"github": github, "gitlab": gitlab}, git: git}}
	for _, k := range h.kept {
		if err := k.load(); err != nil {
			return nil, nil, err
		}
	}
	h.deliveries = newDeliveries(c, h.save)
	github.OnWebhook, gitlab.OnWebhook = h.deliveries.github, h.deliveries.gitlab
	h.ci = &ci{config: c, git: git, free: make(chan struct{}, maxJobs)}
	h.ci.context, h.end = context.WithCancel(context.Background())
	h.startCI(github, gitlab)
	mux := http.NewServeMux()
	mux.Handle(vcstest.GitHubPath+"/", github)
	mux.Handle("/api/graphql", github)
	mux.Handle(vcstest.GitLabPath+"/", gitlab)
	mux.Handle("/", h.desk.routes())
	return h, mux, nil
}

// save keeps the pull requests.
func (h *Hosts) save() {
	for _, k := range h.kept {
		if err := k.save(); err != nil {
			h.ci.config.report(err)
		}
	}
}

// startCI makes both hosts run CI jobs.
func (h *Hosts) startCI(github *vcstest.GitHub, gitlab *vcstest.GitLab) {
	// The ids of an earlier start must not come again, because runs are stored with them.
	github.CI.First = time.Now().Unix()
	gitlab.CI.First = github.CI.First
	h.ci.attach(host{CI: &github.CI, running: "in_progress", succeeded: "success", failed: "failure", cancelled: "cancelled", end: github.EndJob})
	h.ci.attach(host{CI: &gitlab.CI, gitlab: true, running: "running", succeeded: "success", failed: "failed", cancelled: "canceled", end: gitlab.EndJob})
}

// Close ends the hosts and their CI jobs.
func (h *Hosts) Close() {
	h.end()
	_ = h.server.Shutdown(context.Background())
	h.ci.jobs.Wait()
	h.sending.Wait()
	h.save()
}

// Parameters returns the template's parameters that make the functions use these hosts. key is
// the name of the secret that holds the App's private key.
func (h *Hosts) Parameters(key string) map[string]string {
	return map[string]string{
		"GithubAppId": strconv.Itoa(vcstest.AppID), "GithubAppPrivateKey": key,
		"GithubApiBaseUrl": h.URL + vcstest.GitHubPath, "GitlabApiBaseUrl": h.URL + vcstest.GitLabPath,
	}
}
