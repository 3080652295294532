package main

import (
	"context"
	"errors"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// host is what commands need of the client of an installation. githubhost and
// gitlabhost document the methods.
type host interface {
	evaluator.Host
	MayWrite(ctx context.Context, r vcs.Description, account vcshost.Profile) (bool, error)
}

// opener returns the opener of such clients.
func opener(h *hostclient.Hosts) hostclient.Opener[host] {
	return hostclient.For(h, func(i *githubhost.Installation) host { return i }, func(i *gitlabhost.Installation) host { return i })
}

// openHost opens the client of an installation. It returns a fault if no request
// can be sent for the installation.
func (c *commands) openHost(ctx context.Context, of vcs.Installation) (host, error) {
	client, err := c.open(ctx, of)
	if _, ofHost := vcshost.Explain(of.VCS, err); ofHost {
		return nil, vcshost.Fault(of.VCS, err)
	}
	return client, err
}

// pull asks the host for a pull request as it is now.
func (s site) pull(ctx context.Context, number int64) (vcshost.PullRequest, error) {
	found, err := s.host.PullRequest(ctx, s.described(), number)
	switch {
	case errors.Is(err, vcshost.ErrGone):
		return found, fault.Invalidf("PULL_REQUEST_NOT_FOUND", "%s shows this server no pull request %d in %s/%s: check the number", s.of.Installation.VCS.Label(), number, s.Owner, s.Name)
	case err != nil:
		return found, vcshost.Fault(s.of.Installation.VCS, err)
	}
	return found, nil
}
