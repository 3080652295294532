package githubhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/google/go-github/v88/github"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// workflowName is the name by which the workflow is found if it has another path
// than Workflow.
const workflowName = "Terrateam Workflow"

// StartCI dispatches the workflow of a repository. It finds the workflow by its
// path, or else by its name. It returns vcshost.ErrNoWorkflow, vcshost.ErrNoBranch or
// a vcshost.Rejection if GitHub cannot start it. vcshost.NothingDone says whether the
// workflow may have been started in spite of an error.
func (i *Installation) StartCI(ctx context.Context, r vcs.Description, start vcshost.CIStart) (vcshost.CIRun, error) {
	run, err := i.dispatch(ctx, r, path.Base(Workflow), start)
	if !errors.Is(err, vcshost.ErrGone) {
		return run, err
	}
	id, err := i.workflow(ctx, r)
	if err != nil {
		return vcshost.CIRun{}, err
	}
	run, err = i.dispatch(ctx, r, id, start)
	if errors.Is(err, vcshost.ErrGone) {
		return vcshost.CIRun{}, fmt.Errorf("%w: %w", vcshost.ErrNoWorkflow, err)
	}
	return run, err
}

// dispatch starts a workflow, named by its id or by the name of its file.
func (i *Installation) dispatch(ctx context.Context, r vcs.Description, workflow string, start vcshost.CIStart) (vcshost.CIRun, error) {
	const doing = "start the workflow"
	body := github.CreateWorkflowDispatchEventRequest{Ref: start.Branch, Inputs: inputs(start)}
	if !i.app.withoutDetails.Load() {
		body.ReturnRunDetails = github.Ptr(true)
	}
	details, _, err := i.client.Actions.CreateWorkflowDispatchEventByFileName(ctx, r.Owner, r.Name, workflow, body)
	err = explain(doing, err)
	var rejected *vcshost.Rejection
	if errors.As(err, &rejected) {
		// Enterprise Server 3.20 and earlier do not know return_run_details. They
		// respond with 400, and start nothing.
		if rejected.Status == http.StatusBadRequest && body.ReturnRunDetails != nil {
			i.app.withoutDetails.Store(true)
			return i.dispatch(ctx, r, workflow, start)
		}
		return vcshost.CIRun{}, meaning(err, rejected.Words)
	}
	if err != nil {
		return vcshost.CIRun{}, err
	}
	run := vcshost.CIRun{URL: vcshost.PageURL(details.GetHTMLURL())}
	if id := details.GetWorkflowRunID(); id > 0 {
		run.ID = strconv.FormatInt(id, 10)
	}
	return run, nil
}

// inputs returns the inputs of the workflow. GitHub refuses inputs that the file
// does not declare, so that optional ones are sent only when they are needed.
func inputs(start vcshost.CIStart) map[string]any {
	in := map[string]any{"work-token": start.WorkToken, "api-base-url": start.APIBaseURL}
	if start.Environment != "" {
		in["environment"] = start.Environment
	}
	if len(start.RunsOn) > 0 {
		var labels any = start.RunsOn
		if len(start.RunsOn) == 1 {
			labels = start.RunsOn[0]
		}
		text, _ := json.Marshal(labels) // texts can always be encoded
		in["runs_on"] = string(text)
	}
	return in
}

// meaning adds what GitHub's message of a rejected dispatch means.
func meaning(err error, words string) error {
	switch lower := strings.ToLower(words); {
	case strings.HasPrefix(lower, "no ref found"):
		return fmt.Errorf("%w: %w", vcshost.ErrNoBranch, err)
	case strings.Contains(lower, "does not have 'workflow_dispatch' trigger"):
		return fmt.Errorf("%w: %w", vcshost.ErrNoWorkflow, err)
	}
	return err
}

// workflow returns the id of the workflow with our name. It returns
// vcshost.ErrNoWorkflow if the repository has none.
func (i *Installation) workflow(ctx context.Context, r vcs.Description) (string, error) {
	const doing = "list workflows"
	for page := 1; page != 0; {
		var list struct {
			Workflows []struct {
				ID   int64  `json:"id"`
				Name string `json:"name"`
			} `json:"workflows"`
		}
		next, err := pageOf(ctx, i.client, doing, fmt.Sprintf("repos/%s/%s/actions/workflows", r.Owner, r.Name), page, pageSize, &list)
		if err != nil {
			return "", err
		}
		for _, w := range list.Workflows {
			if w.Name == workflowName && w.ID > 0 {
				return strconv.FormatInt(w.ID, 10), nil
			}
		}
		page = next
	}
	return "", fmt.Errorf("github: %s: %w", doing, vcshost.ErrNoWorkflow)
}

// CIProgress returns what GitHub states about a workflow run. It returns
// vcshost.ErrGone if there is no such run.
func (i *Installation) CIProgress(ctx context.Context, r vcs.Description, id string) (vcshost.CIProgress, error) {
	const doing = "read workflow run"
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return vcshost.CIProgress{}, vcshost.ErrGone
	}
	var run struct {
		Status     string `json:"status"`
		Conclusion string `json:"conclusion"`
		URL        string `json:"html_url"`
	}
	if _, err := get(ctx, i.client, doing, fmt.Sprintf("repos/%s/%s/actions/runs/%d", r.Owner, r.Name, n), &run); err != nil {
		return vcshost.CIProgress{}, err
	}
	if run.Status == "" {
		return vcshost.CIProgress{}, fmt.Errorf("github: %s: it has no status", doing)
	}
	p := vcshost.CIProgress{CIRun: vcshost.CIRun{ID: id, URL: vcshost.PageURL(run.URL)}}
	switch {
	case run.Status != "completed":
	case run.Conclusion == "cancelled":
		p.Status, p.Conclusion = vcshost.CICancelled, run.Conclusion
	default:
		p.Status, p.Conclusion = vcshost.CIEnded, run.Conclusion
	}
	return p, nil
}

// CancelCI asks GitHub to cancel a workflow run. A run that has ended already, or
// that does not exist, is no error. It is safe to repeat.
func (i *Installation) CancelCI(ctx context.Context, r vcs.Description, id string) error {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil
	}
	var accepted *github.AcceptedError
	_, err = i.client.Actions.CancelWorkflowRunByID(ctx, r.Owner, r.Name, n)
	if errors.As(err, &accepted) {
		return nil // 202: GitHub will cancel it
	}
	err = explain("cancel workflow run", err)
	var rejected *vcshost.Rejection
	if errors.Is(err, vcshost.ErrGone) || errors.As(err, &rejected) && rejected.Status == http.StatusConflict {
		return nil
	}
	return err
}
