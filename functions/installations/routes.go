package main

import (
	"time"

	"github.com/opsplane/opsplane/shared/access"
	"github.com/opsplane/opsplane/shared/httpapi"
	"github.com/opsplane/opsplane/shared/installation"
	"github.com/opsplane/opsplane/shared/pullrequest"
	"github.com/opsplane/opsplane/shared/repository"
	"github.com/opsplane/opsplane/shared/user"
)

// installations is what the operations need.
type installations struct {
	users        *user.Store
	known        installation.Store
	repositories repository.Store
	pullRequests pullrequest.Store
}

// What the routes ask of their callers: a token of the VCS, or of a member of
// the installation.
var (
	token  = access.Rule{Scope: access.ScopeVCS}
	member = access.Rule{Scope: access.ScopeInstallation}
)

// routes lists the function's routes. The list of installations has two paths:
// one is what clients of GitHub ask for, the other what those of GitLab do.
func routes(i *installations) []httpapi.Route {
	list := httpapi.JSON(vcsOf, i.list)
	return []httpapi.Route{
		{Pattern: "GET /api/v1/user/{vcs}/installations", Rule: token, Endpoint: list},
		{Pattern: "GET /api/v1/{vcs}/installations", Rule: token, Endpoint: list},
		{Pattern: "GET /api/v1/{vcs}/installations/{installation_id}/repos", Rule: member, Endpoint: httpapi.JSON(decodeRepositories, i.listRepositories)},
		{Pattern: "GET /api/v1/{vcs}/installations/{installation_id}/pull-requests", Rule: member, Endpoint: httpapi.JSON(decodePullRequests, i.listPullRequests)},
	}
}

// stamp formats a time to the second; the zero time is empty.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
