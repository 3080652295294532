package githubhost

import (
	"context"
	"fmt"
	"net/url"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// maxChecks is the maximum number of statuses, and of check runs, that are read of a
// commit.
const maxChecks = 5_000

// actions is the slug of the App that makes the check runs of GitHub Actions.
const actions = "github-actions"

// Checks returns the statuses of a commit, the newest of each name, and the check runs
// of it, the newest of each name in each check suite. So two suites may have check runs
// of one name. Checks returns vcshost.ErrTooLarge if there are more than 5,000 of a
// kind.
func (i *Installation) Checks(ctx context.Context, r vcs.Description, commit string) ([]vcshost.Check, error) {
	at := fmt.Sprintf("repos/%s/%s/commits/%s", r.Owner, r.Name, url.PathEscape(commit))
	var checks []vcshost.Check
	for page := 1; page != 0; {
		var list struct {
			Statuses []struct {
				Context string `json:"context"`
				State   string `json:"state"`
			} `json:"statuses"`
		}
		next, err := i.checkPage(ctx, "list statuses", at+"/status", page, &list)
		if err != nil {
			return nil, err
		}
		if list.Statuses == nil {
			return nil, fmt.Errorf("github: list statuses: the answer has no list")
		}
		for _, s := range list.Statuses {
			checks = append(checks, vcshost.Check{Name: s.Context, State: stateOfStatus(s.State)})
		}
		page = next
	}
	for page := 1; page != 0; {
		var list struct {
			Runs []struct {
				Name       string `json:"name"`
				Status     string `json:"status"`
				Conclusion string `json:"conclusion"`
				App        struct {
					Slug string `json:"slug"`
				} `json:"app"`
			} `json:"check_runs"`
		}
		// The filter "latest" is GitHub's default.
		next, err := i.checkPage(ctx, "list check runs", at+"/check-runs", page, &list)
		if err != nil {
			return nil, err
		}
		if list.Runs == nil {
			return nil, fmt.Errorf("github: list check runs: the answer has no list")
		}
		for _, run := range list.Runs {
			checks = append(checks, vcshost.Check{Name: run.Name, State: stateOfRun(run.Status, run.Conclusion), HostCI: run.App.Slug == actions})
		}
		page = next
	}
	return checks, nil
}

// checkPage decodes a page of a list of checks.
func (i *Installation) checkPage(ctx context.Context, doing, at string, page int, into any) (next int, err error) {
	if page > maxChecks/pageSize {
		return 0, fmt.Errorf("github: %s: more than %d: %w", doing, maxChecks, vcshost.ErrTooLarge)
	}
	return pageOf(ctx, i.client, doing, at, page, pageSize, into)
}

// stateOfStatus returns the state of a commit status. GitHub's "error" is a failure.
func stateOfStatus(state string) vcshost.CheckState {
	switch state {
	case "success":
		return vcshost.CheckSuccess
	case "pending":
		return vcshost.CheckPending
	}
	return vcshost.CheckFailure
}

// stateOfRun returns the state of a check run. As for GitHub's required checks, a run
// that was skipped or is neutral is a success ("About protected branches", GitHub
// documentation).
func stateOfRun(status, conclusion string) vcshost.CheckState {
	if status != "completed" {
		return vcshost.CheckPending
	}
	switch conclusion {
	case "success", "neutral", "skipped":
		return vcshost.CheckSuccess
	}
	return vcshost.CheckFailure
}
