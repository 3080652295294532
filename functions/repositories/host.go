package main

import (
	"context"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// host is what a deletion needs of the client of an installation. githubhost and
// gitlabhost document the methods.
type host interface {
	Repository(ctx context.Context, id vcs.ID) (vcshost.Repository, error)
	MayDecide(ctx context.Context, r vcshost.Repository, account vcshost.Profile) (bool, error)
}

// opener returns the opener of such clients.
func opener(h *hostclient.Hosts) hostclient.Opener[host] {
	return hostclient.For(h, func(i *githubhost.Installation) host { return i }, func(i *gitlabhost.Installation) host { return i })
}

// openHost opens the client of an installation. It returns a fault if no request
// can be sent for the installation.
func (r *repositories) openHost(ctx context.Context, of vcs.Installation) (host, error) {
	client, err := r.open(ctx, of)
	if _, ofHost := vcshost.Explain(of.VCS, err); ofHost {
		return nil, vcshost.Fault(of.VCS, err)
	}
	return client, err
}
