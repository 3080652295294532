package main

import (
	"context"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/background/task/taskview"
)

// system is what the routes work with.
type system struct {
	config config
	tasks  task.Store
	ping   func(context.Context) error
}

// public needs no credential, because a client asks before it has one.
var public = access.Rule{Public: true}

// visited is the input of the root. Logins return here with an installation, and
// links may have any parameters that their makers add.
var visited = httpapi.Input{OtherQuery: "a person opens this address, whatever stands behind it"}

// routes lists the function's routes. The path of the client id has the name of its
// VCS and not {vcs}: http.ServeMux refuses {vcs}/client_id beside tasks/{id},
// because both would match tasks/client_id. GitLab has no client id, so its path
// returns 404 like any unknown path.
func routes(s system) []httpapi.Route {
	return []httpapi.Route{
		{Pattern: "GET /{$}", Rule: public, Input: visited, Endpoint: httpapi.JSON(addressed, s.index)},
		{Pattern: "GET /api/v1/server/config", Rule: public, Endpoint: httpapi.JSON(addressed, s.serverConfig)},
		{Pattern: "GET /api/v1/github/client_id", Rule: public, Endpoint: httpapi.JSON(httpapi.NoInput, s.clientID)},
		{Pattern: "GET /api/v1/tasks", Rule: access.Rule{}, Input: taskview.Input, Endpoint: httpapi.JSON(taskview.Decode, s.listTasks)},
		{Pattern: "GET /api/v1/tasks/{id}", Rule: access.Rule{}, Endpoint: httpapi.JSON(taskID, s.task)},
		{Pattern: "POST /api/v1/tasks/{id}/abort", Rule: access.Rule{}, Endpoint: httpapi.JSON(taskID, s.abortTask)},
		{Pattern: "GET /health", Rule: public, Endpoint: httpapi.JSON(httpapi.NoInput, s.health)},
		{Pattern: "HEAD /health", Rule: public, Endpoint: httpapi.JSON(httpapi.NoInput, s.health)},
		{Pattern: "GET /api/v1/openapi.json", Rule: public, Endpoint: httpapi.Tagged(httpapi.NoInput, documentTag, apiDocument)},
	}
}
