package main

import (
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/background/task/taskview"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// repositories holds what the operations need.
type repositories struct {
	users *user.Store
	tasks task.Store
	names installation.Store
	known repository.Store
	open  hostclient.Opener[host]
}

// The rules require a membership in the installation. A deletion destroys data of
// this server. So it also requires the capability that people's credentials have
// and the credentials of runs do not have.
var (
	member   = access.Rule{Scope: access.ScopeInstallation}
	deciding = access.Rule{Needs: []access.Capability{access.AccessTokenCreate}, Scope: access.ScopeInstallation}
)

// administrator may see all tasks of an installation. The host decides besides which
// people may: see administers.
var administrator = access.Rule{TokenNeeds: []access.Capability{access.RunAdmin}, Scope: access.ScopeInstallation}

// routes lists the function's routes.
func routes(r *repositories) []httpapi.Route {
	return []httpapi.Route{
		{Pattern: "POST /api/v1/{vcs}/installations/{installation_id}/repos/refresh", Rule: member, Endpoint: httpapi.JSON(httpapi.NoInput, r.refresh)},
		{Pattern: "DELETE /api/v1/{vcs}/installations/{installation_id}/repos/{repo_id}", Rule: deciding, Endpoint: httpapi.JSON(decodeRepository, r.delete)},
		{Pattern: "GET /api/v1/{vcs}/installations/{installation_id}/tasks", Rule: administrator, Input: taskview.Input, Endpoint: httpapi.JSON(taskview.Decode, r.listTasks)},
	}
}
