package main

import (
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// installations holds what the operations need.
type installations struct {
	repositories repository.Store
	pullRequests pullrequest.Store
	runs         runstore.Store
}

// member allows members of the installation.
var member = access.Rule{Scope: access.ScopeInstallation}

// routes lists the function's routes.
func routes(i *installations) []httpapi.Route {
	return []httpapi.Route{
		{Pattern: "GET /api/v1/{vcs}/installations/{installation_id}/repos", Rule: member, Input: paging.Input(), Endpoint: httpapi.JSON(decodeRepositories, i.listRepositories)},
		{Pattern: "GET /api/v1/{vcs}/installations/{installation_id}/pull-requests", Rule: member, Input: paging.Input("pr"), Endpoint: httpapi.JSON(decodePullRequests, i.listPullRequests)},
	}
}
