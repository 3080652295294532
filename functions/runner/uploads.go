package main

import (
	"context"
	"net/http"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/plancommand"
	"github.com/opsplane/opsplane/shared/run/planstore"
)

// upload is a plan that a runner wants to upload.
type upload struct {
	of      run.Dirspace
	content planstore.Content
}

func decodeUpload(r *http.Request) (upload, error) {
	var body struct {
		Path, Workspace *string
		Size            *int64
		SHA256          *string
	}
	if err := decodeBody(r, &body); err != nil {
		return upload{}, err
	}
	if body.Path == nil || body.Workspace == nil || body.Size == nil || body.SHA256 == nil {
		return upload{}, fault.Invalidf("INVALID_BODY", "the members path, workspace, size and sha256 are needed")
	}
	u := upload{content: planstore.Content{Size: *body.Size, Digest: *body.SHA256}}
	var err error
	if u.of, err = dirspace(*body.Path, *body.Workspace); err != nil {
		return upload{}, err
	}
	return u, planstore.CheckUpload(u.content)
}

// uploadTo is the response that says how to upload a plan.
type uploadTo struct {
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	ExpiresAt time.Time         `json:"expires_at"`
}

// announceUpload returns the request with which the runner uploads a plan. The plan
// counts when the runner stores it afterwards, as if it was small.
func (s *runner) announceUpload(ctx context.Context, call httpapi.Call, u upload) (uploadTo, error) {
	r, err := s.planning(ctx, call, u.of)
	if err != nil {
		return uploadTo{}, err
	}
	if !r.State.Active() {
		return uploadTo{}, ended()
	}
	to, err := s.plans.Announce(ctx, r.ID, u.of, u.content, call.Now)
	return uploadTo{to.URL, to.Headers, expiry(call)}, err
}

// expiry returns until when a presigned URL works.
func expiry(call httpapi.Call) time.Time {
	return call.Now.Add(planstore.URLLifetime).UTC().Truncate(time.Second)
}

// downloadFrom is the response that says where a plan can be read.
type downloadFrom struct {
	URL       string    `json:"url"`
	Size      int64     `json:"size"`
	SHA256    string    `json:"sha256"`
	ExpiresAt time.Time `json:"expires_at"`
}

// openDownload returns where the plan that was chosen for a running apply can be read.
func (s *runner) openDownload(ctx context.Context, call httpapi.Call, of run.Dirspace) (downloadFrom, error) {
	chosen, err := s.chosen(ctx, call, of)
	if err != nil {
		return downloadFrom{}, err
	}
	from, err := s.plans.Open(ctx, chosen)
	return downloadFrom{from.URL, chosen.Size, chosen.Digest, expiry(call)}, err
}

// chosen returns the plan of a dirspace that was chosen for a running apply.
func (s *runner) chosen(ctx context.Context, call httpapi.Call, of run.Dirspace) (planstore.Chosen, error) {
	r, err := s.runs.Get(ctx, idOf(call))
	if err != nil {
		return planstore.Chosen{}, err
	}
	if !r.Type.IsApply() || r.State != run.Running {
		return planstore.Chosen{}, access.Refuse(access.StepRestriction, "the run is not a running apply")
	}
	return s.plans.Chosen(ctx, r.ID, of, call.Now)
}

// fetch is a request for the plan of a dirspace.
type fetch struct {
	of run.Dirspace
	// address is the address at which the runner reaches its run.
	address string
}

func decodeFetchPlan(r *http.Request) (fetch, error) {
	of, err := decodeFetch(r)
	return fetch{of, plancommand.RunAddress(httpapi.Address(r)+"/api/"+r.PathValue("vcs"), workToken(r))}, err
}

// fetchPlan returns the plan that was chosen for a running apply, or how to fetch it if
// it was uploaded. It may be fetched again until the apply ends, because a response can
// be lost.
func (s *runner) fetchPlan(ctx context.Context, call httpapi.Call, asked fetch) (fetched, error) {
	chosen, err := s.chosen(ctx, call, asked.of)
	if err != nil {
		return fetched{}, err
	}
	if chosen.Uploaded {
		document, err := plancommand.Document(asked.address)
		return fetched{document}, err
	}
	bytes, err := s.plans.Read(ctx, chosen)
	return fetched{bytes}, err
}
