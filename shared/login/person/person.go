// Package person asks VCS hosts in the name of people who logged in: who they
// are, and which installations they can see. Its invariant: what a host says
// replaces all that it said before.
package person

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/login/oauth"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
)

// Host is a VCS host, asked with a person's own token. Its errors are those of
// package vcshost.
type Host interface {
	// Whoami answers whose token it is.
	Whoami(ctx context.Context, token string) (user.Identity, error)
	// Installations lists the ids of the installations or groups that the
	// person can see.
	Installations(ctx context.Context, token string) ([]string, error)
}

// Provider is a VCS that people log in at.
type Provider struct {
	// OAuth gives and refreshes their tokens.
	OAuth *oauth.Client
	// Host is asked with them.
	Host Host
}

// Providers are the VCSs at which the server is an application, by VCS, as the
// environment has them: GITHUB_APP_CLIENT_ID, GITHUB_WEB_BASE_URL,
// GITHUB_API_BASE_URL, GITHUB_CLIENT_SECRET, and GITLAB_APP_ID,
// GITLAB_WEB_BASE_URL, GITLAB_API_BASE_URL, GITLAB_APP_SECRET. One without an id
// is left out.
func Providers(cfg aws.Config, env func(string) string) map[string]Provider {
	url := func(name string) string { return strings.TrimRight(env(name), "/") }
	found := map[string]Provider{}
	if id := env("GITHUB_APP_CLIENT_ID"); id != "" {
		found["github"] = Provider{
			OAuth: oauth.GitHub(url("GITHUB_WEB_BASE_URL"), id, secret.New(cfg, env("GITHUB_CLIENT_SECRET")).Current),
			Host:  GitHub(url("GITHUB_API_BASE_URL")),
		}
	}
	if id := env("GITLAB_APP_ID"); id != "" {
		found["gitlab"] = Provider{
			OAuth: oauth.GitLab(url("GITLAB_WEB_BASE_URL"), id, secret.New(cfg, env("GITLAB_APP_SECRET")).Current),
			Host:  GitLab(url("GITLAB_API_BASE_URL")),
		}
	}
	return found
}

// GitHub asks a GitHub at an API address.
func GitHub(api string) Host { return github{githubhost.NewPeople(api)} }

type github struct{ people *githubhost.People }

// Whoami implements Host.
func (g github) Whoami(ctx context.Context, token string) (user.Identity, error) {
	a, err := g.people.Whoami(ctx, token)
	if err != nil {
		return user.Identity{}, err
	}
	return identity(a.ID, a.Login, a.AvatarURL)
}

// Installations implements Host.
func (g github) Installations(ctx context.Context, token string) ([]string, error) {
	return g.people.Installations(ctx, token)
}

// GitLab asks a GitLab at an API address without the version.
func GitLab(api string) Host { return gitlab{gitlabhost.New(api)} }

type gitlab struct{ host *gitlabhost.Host }

// Whoami implements Host.
func (g gitlab) Whoami(ctx context.Context, token string) (user.Identity, error) {
	c, err := g.host.As(token)
	if err != nil {
		return user.Identity{}, err
	}
	a, err := c.Whoami(ctx)
	if err != nil {
		return user.Identity{}, err
	}
	return identity(a.ID, a.Username, a.AvatarURL)
}

// Installations implements Host.
func (g gitlab) Installations(ctx context.Context, token string) ([]string, error) {
	c, err := g.host.As(token)
	if err != nil {
		return nil, err
	}
	groups, err := c.Groups(ctx)
	ids := make([]string, len(groups))
	for i, group := range groups {
		ids[i] = strconv.FormatInt(group.ID, 10)
	}
	return ids, err
}

func identity(id, login, avatar string) (user.Identity, error) {
	if id == "" || id == "0" || login == "" {
		return user.Identity{}, errors.New("the host's answer names no account")
	}
	return user.Identity{ID: id, Login: login, AvatarURL: avatar}, nil
}
