package main

import (
	"context"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/worktoken"
	"github.com/opsplane/opsplane/shared/vcs"
)

// runner holds what the operations need.
type runner struct {
	runs      runstore.Store
	plans     planstore.Store
	outputs   *output.Store
	manifests manifests
	box       *sealed.Box
	work      worktoken.Tokens
	tokens    tokens
}

// Rules of the routes. Each is for the run that the token belongs to (ofRun). Results
// may be reported again after the run has ended.
var (
	active   = access.Rule{Kinds: []access.Kind{access.KindRun}, Scope: access.ScopeVCS}
	endedToo = access.Rule{Kinds: []access.Kind{access.KindRun}, Scope: access.ScopeVCS, EndedRun: true}
)

// lenient says why the bodies of runners may have members that this server does not
// know.
const lenient = "newer versions of the runner may send more"

// routes lists the function's routes. The template has each route once for each VCS,
// with the name of the VCS in place of the variable.
func routes(r *runner) []httpapi.Route {
	const base = " /api/{vcs}/v1/work-manifests/{work_manifest_id}"
	return []httpapi.Route{
		{Pattern: "POST" + base + "/initiate", Rule: access.Rule{Public: true}, Input: httpapi.Input{AnyBody: lenient}, Endpoint: httpapi.JSON(decodeInitiate, r.initiate)},
		{Pattern: "POST" + base + "/access-token", Rule: active, VCS: vcs.GitHub, Endpoint: ofRun(r.work, httpapi.NoInput, r.accessToken)},
		{Pattern: "POST" + base + "/plans", Rule: active, Input: httpapi.Input{AnyBody: lenient}, Endpoint: ofRun(r.work, decodePlan, r.storePlan)},
		{Pattern: "GET" + base + "/plans", Rule: active, Input: httpapi.Input{Query: []string{"path", "dir", "workspace"}}, Endpoint: ofRun(r.work, decodeFetchPlan, r.fetchPlan)},
		{Pattern: "POST" + base + "/plans/upload", Rule: active, Input: httpapi.Input{AnyBody: lenient}, Endpoint: ofRun(r.work, decodeUpload, r.announceUpload)},
		{Pattern: "GET" + base + "/plans/download", Rule: active, Input: httpapi.Input{Query: []string{"path", "dir", "workspace"}}, Endpoint: ofRun(r.work, decodeFetch, r.openDownload)},
		{Pattern: "PUT" + base, Rule: endedToo, Input: httpapi.Input{AnyBody: lenient}, Endpoint: ofRun(r.work, readBody, r.report)},
		{Pattern: "GET" + base + "/workspaces", Rule: active, Endpoint: ofRun(r.work, httpapi.NoInput, r.workspaces)},
		{Pattern: "POST" + base + "/workspaces", Rule: active, ReadOnly: true, Endpoint: ofRun(r.work, httpapi.NoInput, r.workspaces)},
	}
}

// ofRun makes an endpoint that refuses the token of another run than the one whose work
// token is in the path. So an operation finds its run in the caller: idOf returns it.
func ofRun[Q, A any](work worktoken.Tokens, decode func(*http.Request) (Q, error), do func(context.Context, httpapi.Call, Q) (A, error)) httpapi.Endpoint {
	endpoint := httpapi.JSON(decode, do)
	return func(ctx context.Context, call httpapi.Call, r *http.Request) (httpapi.Response, error) {
		named, err := work.Names(ctx, workToken(r), idOf(call))
		if err != nil {
			return nil, err
		}
		if !named {
			return nil, access.Refuse(access.StepRestriction, "the path has not the work token of the token's run")
		}
		return endpoint(ctx, call, r)
	}
}

// idOf returns the id of the run whose runner sends the request.
func idOf(call httpapi.Call) run.ID { return run.ID(call.Caller.Run()) }

// workToken returns the work token in the path. The contract names it as if it were the
// id of the run.
func workToken(r *http.Request) string { return r.PathValue("work_manifest_id") }
