package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
)

// notConfigured refuses where the operator has not set up the host.
var notConfigured = fault.Invalidf("VCS_NOT_CONFIGURED", "this server has no GitHub App: its operator must set GithubAppId and GithubAppPrivateKey")

// badKey refuses where what the operator has set up cannot be used.
var badKey = &fault.Error{
	Kind: fault.Invalid, ID: "VCS_NOT_CONFIGURED", LogCause: true,
	Detail: "this server cannot read the private key of its GitHub App: its operator must store another one in the secret that GithubAppPrivateKey names",
}

// github asks as our App.
type github struct{ app *githubhost.App }

func (g github) ready(ctx context.Context, _ string) error {
	err := g.app.Ready(ctx)
	if errors.Is(err, githubhost.ErrNoApp) || errors.Is(err, secret.ErrNotConfigured) {
		return notConfigured
	}
	var key *githubhost.KeyError
	if errors.As(err, &key) {
		return fmt.Errorf("%w: %w", badKey, err)
	}
	return err
}

func (g github) archived(ctx context.Context, installation, repository string) (bool, string, error) {
	r, err := g.app.Repository(ctx, installation, repository)
	return r.Archived, r.Owner, err
}

// rules: an owner of the organisation. A person's own account has none.
func (g github) rules(ctx context.Context, installation, owner string, account user.Identity) (bool, error) {
	return g.app.IsAdmin(ctx, installation, owner, account.ID, account.Login)
}

// gitlab asks with the group's token.
type gitlab struct {
	host   *gitlabhost.Host
	tokens *grouptoken.Store
}

func (g gitlab) ready(ctx context.Context, installation string) error {
	_, err := g.client(ctx, installation)
	return err
}

func (g gitlab) client(ctx context.Context, installation string) (*gitlabhost.Client, error) {
	token, err := g.tokens.Get(ctx, installation)
	if errors.Is(err, grouptoken.ErrNone) {
		return nil, fault.Invalidf("NO_ACCESS_TOKEN",
			"no access token is stored for group %s: store one with PUT /api/v1/gitlab/installations/%[1]s/access-token", installation)
	}
	if err != nil {
		return nil, err
	}
	return g.host.As(token)
}

func (g gitlab) archived(ctx context.Context, installation, repository string) (bool, string, error) {
	client, err := g.client(ctx, installation)
	if err != nil {
		return false, "", err
	}
	p, err := client.Project(ctx, repository)
	return p.Archived, p.Group, err
}

// rules: a direct member of the project's own group, as maintainer or owner.
func (g gitlab) rules(ctx context.Context, installation, owner string, account user.Identity) (bool, error) {
	client, err := g.client(ctx, installation)
	if err != nil {
		return false, err
	}
	if owner == "" {
		return false, nil // a person's own
	}
	level, err := client.DirectLevel(ctx, owner, account.ID)
	return level >= gitlabhost.Maintainer, err
}
