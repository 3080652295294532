package main

import (
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// explanations holds what the operations need.
type explanations struct {
	users *user.Store
	known repository.Store
	// evaluator has no lane and starts nothing here.
	evaluator *evaluator.Evaluator
}

// reader is a member of the installation. Tokens need the capability.
var reader = access.Rule{TokenNeeds: []access.Capability{access.RunRead}, Scope: access.ScopeInstallation}

// routes lists the function's routes.
func routes(e *explanations) []httpapi.Route {
	const base = "GET /api/v1/{vcs}/installations/{installation_id}"
	return []httpapi.Route{
		{Pattern: base + "/repos/{repo_id}/prs/{pull_request_id}/explain", Rule: reader, Input: httpapi.Input{Query: []string{"all"}}, Endpoint: httpapi.JSON(decodeExplain, e.explain)},
		{Pattern: base + "/locks", Rule: reader, Input: paging.Input(), Endpoint: httpapi.JSON(decodeLocks, e.listLocks)},
		{Pattern: base + "/waiting", Rule: reader, Input: paging.Input("for"), Endpoint: httpapi.JSON(decodeWaiting, e.listWaiting)},
	}
}
