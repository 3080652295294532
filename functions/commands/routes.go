package main

import (
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/run/starting"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// commands holds what the operations need.
type commands struct {
	users *user.Store
	known repository.Store
	// starter has no address for runners if the operator has set none: then no run can
	// be started.
	starter starting.Starter
	// evaluator decides whether a run may be made. Each request completes a copy with its
	// client and its time.
	evaluator evaluator.Evaluator
	lanes     lane.Store
	open      hostclient.Opener[host]
	limits    limits
}

// Rules of the routes. The host decides besides what a person may do: see enter.
var (
	// starter may start plans, or applies, or both: see mayStart.
	starter = access.Rule{TokenNeedsOne: []access.Capability{access.RunPlan, access.RunApply}, Scope: access.ScopeInstallation}
	// admin may end the runs of others.
	admin = access.Rule{TokenNeeds: []access.Capability{access.RunAdmin}, Scope: access.ScopeInstallation}
)

// startMembers are the members of the body that starts a run.
var startMembers = []string{"run_type", "dirspaces", "dirspaces.dir", "dirspaces.workspace", "pull_number", "branch", "environment", "runs_on"}

// routes lists the function's routes.
func routes(c *commands) []httpapi.Route {
	const (
		base = "POST /api/v1/{vcs}/installations/{installation_id}"
		one  = base + "/work-manifests/{work_manifest_id}"
		repo = base + "/repos/{repo_id}"
	)
	return []httpapi.Route{
		{Pattern: repo + "/work-manifests", Rule: starter, Input: httpapi.Input{Members: startMembers}, Endpoint: httpapi.JSON(decodeStart, c.start)},
		{Pattern: one + "/rerun", Rule: starter, Endpoint: httpapi.JSON(decodeRerun, c.rerun)},
		{Pattern: one + "/abort", Rule: admin, Endpoint: httpapi.JSON(decodeID, c.abort)},
		{Pattern: repo + "/prs/{pull_request_id}/unlock", Rule: admin, Endpoint: httpapi.JSON(decodePull, c.unlockPull)},
		{Pattern: repo + "/drift/unlock", Rule: admin, Endpoint: httpapi.JSON(decodeRepository, c.unlockDrift)},
	}
}
