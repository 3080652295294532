package main

import (
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
)

// runs holds what the operations need.
type runs struct {
	store   runstore.Store
	index   runindex.Index
	outputs *output.Store
	stands  standing.Lists
	changes changeset.Store
}

// reader is a member of the installation. Tokens need the capability.
var reader = access.Rule{TokenNeeds: []access.Capability{access.RunRead}, Scope: access.ScopeInstallation}

// tokenReader is a token that reads runs of all installations that it reaches. The
// installations of a session are known only where the path names one.
var tokenReader = access.Rule{Kinds: []access.Kind{access.KindAccessToken}, Needs: []access.Capability{access.RunRead}}

// routes lists the function's routes.
func routes(r *runs) []httpapi.Route {
	const base = "GET /api/v1/{vcs}/installations/{installation_id}"
	const one = base + "/work-manifests/{work_manifest_id}"
	return []httpapi.Route{
		{Pattern: base + "/work-manifests", Rule: reader, Input: paging.Input("q", "tz", "d", "lite", updatedSince), Endpoint: r.listOrChanges()},
		{Pattern: one, Rule: reader, Endpoint: httpapi.Tagged(decodeID, r.tag, r.get)},
		{Pattern: base + "/dirspaces", Rule: reader, Input: paging.Input("q", "tz", "d"), Endpoint: httpapi.JSON(decodeDirspaces, r.listDirspaces)},
		{Pattern: base + "/workspaces", Rule: reader, Input: paging.Input("q", "tz", "d"), Endpoint: httpapi.JSON(decodeWorkspaces, r.listWorkspaces)},
		{Pattern: one + "/outputs", Rule: reader, Input: paging.Input("q", "tz", "lite", "d"), Endpoint: httpapi.Tagged(decodeOutputs, r.tagOutputs, r.listOutputs)},
		{Pattern: one + "/outputs/{idx}/text", Rule: reader, Endpoint: httpapi.Respond(decodeStep, r.stepText)},
		{Pattern: one + "/text", Rule: reader, Endpoint: httpapi.Respond(decodeID, r.text)},
		{Pattern: "GET /api/v1/admin/drifts", Rule: tokenReader, Input: paging.Input(), Endpoint: httpapi.JSON(decodeDrifts, r.listDrifts)},
		{Pattern: base + "/repos/{repo_id}/prs/{pull_request_id}/stacks", Rule: reader, Endpoint: httpapi.JSON(decodePullRequest, r.listStacks)},
	}
}
