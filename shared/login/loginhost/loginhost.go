// Package loginhost makes the clients of the VCS hosts at which people log in: of
// the host's OAuth server, and of its API in the name of a person.
package loginhost

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/login/oauth"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// People is the API of a host for requests with a person's own token.
// githubhost.People and gitlabhost.People implement it. Their errors are those of
// package vcshost.
type People interface {
	// Whoami returns the account that the token belongs to.
	Whoami(ctx context.Context, token string) (vcshost.Profile, error)
	// Installations returns the ids of the installations or groups that the person
	// can see.
	Installations(ctx context.Context, token string) ([]vcs.ID, error)
}

// Host is a VCS host at which people log in.
type Host struct {
	// OAuth gets and refreshes the tokens of people.
	OAuth *oauth.Client
	// People is the host's API. Requests to it have these tokens.
	People People
}

// FromEnv returns the hosts at which this server has an application, by VCS. It
// reads the environment: GITHUB_APP_CLIENT_ID, GITHUB_WEB_BASE_URL,
// GITHUB_API_BASE_URL, GITHUB_CLIENT_SECRET, and GITLAB_APP_ID,
// GITLAB_WEB_BASE_URL, GITLAB_API_BASE_URL, GITLAB_APP_SECRET. A VCS without an id
// of the application is left out. now is the clock of their secrets.
func FromEnv(cfg aws.Config, env func(string) string, now func() time.Time) map[vcs.VCS]Host {
	url := func(name string) string { return strings.TrimRight(env(name), "/") }
	found := map[vcs.VCS]Host{}
	if id := env("GITHUB_APP_CLIENT_ID"); id != "" {
		found[vcs.GitHub] = Host{
			OAuth:  oauth.GitHub(url("GITHUB_WEB_BASE_URL"), id, secret.New(cfg, env("GITHUB_CLIENT_SECRET"), now).Current),
			People: githubhost.NewPeople(url("GITHUB_API_BASE_URL")),
		}
	}
	if id := env("GITLAB_APP_ID"); id != "" {
		found[vcs.GitLab] = Host{
			OAuth:  oauth.GitLab(url("GITLAB_WEB_BASE_URL"), id, secret.New(cfg, env("GITLAB_APP_SECRET"), now).Current),
			People: gitlabhost.NewPeople(url("GITLAB_API_BASE_URL")),
		}
	}
	return found
}
