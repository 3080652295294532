package main

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/plancommand"
	"github.com/opsplane/opsplane/shared/run/planstore"
)

// plan is a plan that a runner stores. What the bytes are is the runner's business.
type plan struct {
	of         run.Dirspace
	bytes      []byte
	hasChanges bool
}

// maxPlan is the largest plan, in bytes. In base64, with what is around it, its
// response just fits into the 6 MB that a Lambda function can return ("Lambda
// quotas", AWS documentation).
const maxPlan = (6<<20 - 8<<10) / 4 * 3

func decodePlan(r *http.Request) (plan, error) {
	var body struct {
		Path, Workspace *string
		PlanData        *string `json:"plan_data"`
		HasChanges      *bool   `json:"has_changes"`
	}
	if err := decodeBody(r, &body); err != nil {
		return plan{}, err
	}
	if body.Path == nil || body.Workspace == nil || body.PlanData == nil {
		return plan{}, fault.Invalidf("INVALID_BODY", "the members path, workspace and plan_data are needed")
	}
	p := plan{hasChanges: body.HasChanges == nil || *body.HasChanges}
	var err error
	if p.of, err = dirspace(*body.Path, *body.Workspace); err != nil {
		return plan{}, err
	}
	// The decoder ignores line breaks.
	if p.bytes, err = base64.StdEncoding.DecodeString(*body.PlanData); err != nil {
		return plan{}, fault.Invalidf("INVALID_BODY", `member "plan_data" is not base64`)
	}
	if len(p.bytes) > maxPlan {
		return plan{}, fault.TooLargef("PLAN_TOO_LARGE", "the plan has %d bytes; a request carries at most %d. "+
			"Let the operator set the parameter PlanUploads of the stack to on, and runners upload plans of any size", len(p.bytes), maxPlan)
	}
	return p, nil
}

// dirspace returns the dirspace that a runner names.
func dirspace(dir, workspace string) (run.Dirspace, error) {
	d, err := run.NewDirspace(dir, workspace)
	if err != nil {
		return d, fault.Invalidf("INVALID_DIRSPACE", "%v", err)
	}
	return d, nil
}

// storePlan stores a plan. A repeated request replaces it. If the runner has uploaded
// the plan, it sends what plancommand.Stored knows, and the upload becomes the plan.
func (s *runner) storePlan(ctx context.Context, call httpapi.Call, p plan) (httpapi.Empty, error) {
	r, err := s.planning(ctx, call, p.of)
	if err != nil {
		return httpapi.Empty{}, err
	}
	if plancommand.Stored(p.bytes) {
		err = s.plans.PutUploaded(ctx, r.ID, p.of, p.hasChanges, call.Now)
	} else {
		err = s.plans.Put(ctx, r.ID, p.of, p.bytes, p.hasChanges, call.Now)
	}
	switch {
	case errors.Is(err, planstore.ErrInactive):
		err = ended()
	case errors.Is(err, planstore.ErrNotUploaded):
		err = fault.Invalidf("PLAN_NOT_UPLOADED", "the plan of %s was not uploaded, or only a part of it", p.of)
	}
	return httpapi.Empty{}, err
}

// planning returns the run whose runner sends the request, if it makes plans and works
// on a dirspace.
func (s *runner) planning(ctx context.Context, call httpapi.Call, of run.Dirspace) (run.Run, error) {
	r, err := s.runs.Get(ctx, idOf(call))
	if err != nil {
		return run.Run{}, err
	}
	if !r.Type.IsPlan() {
		return run.Run{}, access.Refuse(access.StepRestriction, "the run makes no plans")
	}
	if !slices.Contains(r.Dirspaces, of) {
		return run.Run{}, fault.Invalidf("INVALID_DIRSPACE", "the run does not work on %s", of)
	}
	return r, nil
}

// ended refuses a request of a run that ended after the authorizer had read it.
func ended() error { return access.Refuse(access.StepCredential, "the run of the token has ended") }

// decodeFetch reads the dirspace whose plan is wanted. The contract names the
// directory dir, and the runner sends path (runner protocol, 5.4).
func decodeFetch(r *http.Request) (run.Dirspace, error) {
	q := httpapi.NewQuery(r)
	dir := q.String("dir", "")
	dir = q.String("path", dir)
	if !q.Has("path") && !q.Has("dir") || !q.Has("workspace") {
		return run.Dirspace{}, fault.Invalidf("INVALID_PARAMETER", "the query parameters path and workspace are needed")
	}
	return dirspace(dir, q.String("workspace", ""))
}

// fetched is the response with a plan.
type fetched struct {
	Data []byte `json:"data"` // base64 in JSON
}
