package gitlabhost

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// StartCI creates a pipeline in a project. It returns vcshost.ErrNoBranch or a
// vcshost.Rejection if GitLab cannot create it. vcshost.NothingDone says whether the
// pipeline may have been created in spite of an error. GitLab has no deployment
// environment as an input, so Environment is not sent.
func (i *Installation) StartCI(ctx context.Context, r vcs.Description, start vcshost.CIStart) (vcshost.CIRun, error) {
	const doing = "create pipeline"
	in := gitlab.PipelineInputsOption{
		"TERRATEAM_TRIGGER": gitlab.NewPipelineInputValue("true"),
		"WORK_TOKEN":        gitlab.NewPipelineInputValue(start.WorkToken),
		"API_BASE_URL":      gitlab.NewPipelineInputValue(start.APIBaseURL),
	}
	if len(start.RunsOn) > 0 {
		in["RUNS_ON"] = gitlab.NewPipelineInputValue(start.RunsOn)
	}
	pipeline, _, err := i.gitlab.Pipelines.CreatePipeline(string(r.ID), &gitlab.CreatePipelineOptions{Ref: &start.Branch, Inputs: in}, gitlab.WithContext(ctx))
	err = explain(ctx, doing, err)
	var rejected *vcshost.Rejection
	switch {
	case errors.As(err, &rejected) && strings.Contains(strings.ToLower(rejected.Words), "reference not found"):
		return vcshost.CIRun{}, fmt.Errorf("%w: %w", vcshost.ErrNoBranch, err)
	case err != nil:
		return vcshost.CIRun{}, err
	case pipeline.ID <= 0:
		return vcshost.CIRun{}, fmt.Errorf("gitlab: %s: it has no id", doing)
	}
	return vcshost.CIRun{ID: strconv.FormatInt(pipeline.ID, 10), URL: vcshost.PageURL(pipeline.WebURL)}, nil
}

// CIProgress returns what GitLab states about a pipeline. It returns
// vcshost.ErrGone if there is no such pipeline.
func (i *Installation) CIProgress(ctx context.Context, r vcs.Description, id string) (vcshost.CIProgress, error) {
	const doing = "read pipeline"
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return vcshost.CIProgress{}, vcshost.ErrGone
	}
	var pipeline struct {
		Status string `json:"status"`
		URL    string `json:"web_url"`
	}
	if _, err := i.get(ctx, doing, fmt.Sprintf("projects/%s/pipelines/%d", gitlab.PathEscape(string(r.ID)), n), nil, &pipeline); err != nil {
		return vcshost.CIProgress{}, err
	}
	p := vcshost.CIProgress{CIRun: vcshost.CIRun{ID: id, URL: vcshost.PageURL(pipeline.URL)}}
	switch pipeline.Status {
	case "":
		return vcshost.CIProgress{}, fmt.Errorf("gitlab: %s: it has no status", doing)
	case "canceled":
		p.Status, p.Conclusion = vcshost.CICancelled, pipeline.Status
	case "success", "failed", "skipped":
		p.Status, p.Conclusion = vcshost.CIEnded, pipeline.Status
	}
	return p, nil
}

// CancelCI asks GitLab to cancel a pipeline. A pipeline that has ended already, or
// that does not exist, is no error. It is safe to repeat.
func (i *Installation) CancelCI(ctx context.Context, r vcs.Description, id string) error {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil
	}
	_, _, err = i.gitlab.Pipelines.CancelPipelineBuild(string(r.ID), n, gitlab.WithContext(ctx))
	if err = explain(ctx, "cancel pipeline", err); errors.Is(err, vcshost.ErrGone) {
		return nil
	}
	return err
}
