package main

import (
	"context"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// repositories is what the operations need.
type repositories struct {
	users *user.Store
	tasks task.Store
	known repository.Store
	hosts map[vcs.VCS]host
}

// host is what is asked of a VCS host before something is done to one of its
// repositories.
type host interface {
	// ready returns the fault for which the installation cannot be asked at all; nil
	// if it can.
	ready(ctx context.Context, installation vcs.ID) error
	// archived reports whether the repository is archived, and returns its owner;
	// vcshost.ErrGone if the host has no such repository.
	archived(ctx context.Context, of vcs.Repository) (archived bool, owner string, err error)
	// rules reports whether the account may decide over the owner's repositories.
	rules(ctx context.Context, installation vcs.ID, owner string, account user.Identity) (bool, error)
}

// member of the installation. A deletion destroys what is known here, and so
// needs besides the capability that people's credentials have and those of runs
// do not.
var (
	member   = access.Rule{Scope: access.ScopeInstallation}
	deciding = access.Rule{Needs: []access.Capability{access.AccessTokenCreate}, Scope: access.ScopeInstallation}
)

// routes lists the function's routes.
func routes(r *repositories) []httpapi.Route {
	return []httpapi.Route{
		{Pattern: "POST /api/v1/{vcs}/installations/{installation_id}/repos/refresh", Rule: member, Endpoint: httpapi.JSON(decodeInstallation, r.refresh)},
		{Pattern: "DELETE /api/v1/{vcs}/installations/{installation_id}/repos/{repo_id}", Rule: deciding, Endpoint: httpapi.JSON(decodeRepository, r.delete)},
	}
}
