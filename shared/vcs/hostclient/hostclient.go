// Package hostclient opens the client of an installation at its VCS host. It is the
// only package that knows the addresses and the credentials of the hosts. It links
// the libraries of the hosts, so a function that sends no request to a host does
// not import it.
package hostclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Hosts are the VCS hosts that this server is configured for. They may be used by
// several goroutines.
type Hosts struct {
	// App is our GitHub App.
	App *githubhost.App
	// GitLab is the GitLab host. It opens clients for any token.
	GitLab *gitlabhost.Host
	// Tokens are the access tokens of GitLab groups.
	Tokens *grouptoken.Store
}

// FromEnv returns the hosts that the environment names: GITHUB_APP_ID,
// GITHUB_APP_PRIVATE_KEY (the name or ARN of a secret), GITHUB_API_BASE_URL,
// GITLAB_API_BASE_URL and SESSIONS_TABLE. box opens the tokens of groups. now is the
// clock of the secret.
func FromEnv(cfg aws.Config, db *dynamodb.Client, box *sealed.Box, env func(string) string, now func() time.Time) *Hosts {
	key := secret.New(cfg, env("GITHUB_APP_PRIVATE_KEY"), now)
	return &Hosts{
		App:    githubhost.New(env("GITHUB_APP_ID"), configured(key.Current), env("GITHUB_API_BASE_URL")),
		GitLab: gitlabhost.New(env("GITLAB_API_BASE_URL")),
		Tokens: grouptoken.New(db, env("SESSIONS_TABLE"), box),
	}
}

// configured adds vcshost.ErrNotConfigured to the error of a secret that the
// operator has not set.
func configured(read func(context.Context) (string, error)) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		text, err := read(ctx)
		if errors.Is(err, secret.ErrNotConfigured) {
			return "", fmt.Errorf("%w: %w", vcshost.ErrNotConfigured, err)
		}
		return text, err
	}
}

// Group returns the client of a GitLab group. It returns vcshost.ErrNoToken if no
// token of the group is stored.
func (h *Hosts) Group(ctx context.Context, id vcs.ID) (*gitlabhost.Installation, error) {
	token, err := h.Tokens.Get(ctx, id)
	if errors.Is(err, secret.ErrNotConfigured) {
		err = fmt.Errorf("%w: %w", vcshost.ErrNotConfigured, err)
	}
	if err != nil {
		return nil, err
	}
	return h.GitLab.Open(id, token)
}

// Opener opens the client of an installation, as the interface C that its caller
// needs. It sends no request to the host. It returns the errors of
// githubhost.App.Open and of Hosts.Group. After such an error, no request can be
// sent for the installation.
type Opener[C any] func(ctx context.Context, of vcs.Installation) (C, error)

// For returns the Opener for an interface of its caller. asGitHub and asGitLab
// return their argument. With them the compiler checks that both clients have the
// methods of the interface.
func For[C any](h *Hosts, asGitHub func(*githubhost.Installation) C, asGitLab func(*gitlabhost.Installation) C) Opener[C] {
	return func(ctx context.Context, of vcs.Installation) (none C, err error) {
		switch of.VCS {
		case vcs.GitHub:
			client, err := h.App.Open(ctx, of.ID)
			if err != nil {
				return none, err
			}
			return asGitHub(client), nil
		case vcs.GitLab:
			client, err := h.Group(ctx, of.ID)
			if err != nil {
				return none, err
			}
			return asGitLab(client), nil
		}
		return none, fmt.Errorf("there is no VCS %q", of.VCS)
	}
}
