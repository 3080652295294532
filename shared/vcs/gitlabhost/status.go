package gitlabhost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

const (
	// maxDescription is the maximum length of a status's description, in characters, and
	// of its address ("Commits API", GitLab documentation: set commit pipeline status).
	maxDescription = 255
	// busyWait is the wait for something that GitLab does at the moment.
	busyWait = 5 * time.Second
)

// states are GitLab's words for the states of a status.
var states = map[vcshost.CheckState]string{vcshost.CheckPending: "pending", vcshost.CheckSuccess: "success", vcshost.CheckFailure: "failed"}

// SetStatus sets an external status of a commit. It is safe to repeat. It returns
// vcshost.ErrGone if there is no such commit, and a vcshost.Limited while another request
// changes the statuses of the commit. A status that is pending already stays as it is, with
// its description: GitLab refuses the repetition.
//
// A status belongs to a pipeline of the commit: the newest one, or a new one if there is
// none ("External commit statuses", GitLab documentation). So a status that ends may have
// begun in an older pipeline, which would stay pending. SetStatus ends it there as well.
func (i *Installation) SetStatus(ctx context.Context, r vcs.Description, commit string, s vcshost.CommitStatus) error {
	done, err := i.postStatus(ctx, r, commit, s, 0)
	if err != nil || s.State == vcshost.CheckPending {
		return err
	}
	statuses, err := i.statuses(ctx, r, commit, s.Name)
	if err != nil {
		return err
	}
	for _, old := range statuses {
		if old.Name != s.Name || old.Pipeline <= 0 || old.Pipeline == done || old.Status != "pending" && old.Status != "running" {
			continue
		}
		// GitLab does not find pipelines of some kinds by their id, and rejects a status
		// that has the name of a job.
		var rejected *vcshost.Rejection
		if _, err := i.postStatus(ctx, r, commit, s, old.Pipeline); err != nil && !errors.Is(err, vcshost.ErrGone) && !errors.As(err, &rejected) {
			return err
		}
	}
	return nil
}

// postStatus sets a status in a pipeline, or where GitLab wants it if pipeline is 0. It
// returns the id of the pipeline, or 0 if GitLab does not state it.
func (i *Installation) postStatus(ctx context.Context, r vcs.Description, commit string, s vcshost.CommitStatus, pipeline int64) (int64, error) {
	const doing = "set status"
	body := struct {
		State       string `json:"state"`
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
		TargetURL   string `json:"target_url,omitempty"`
		Pipeline    int64  `json:"pipeline_id,omitempty"`
	}{State: states[s.State], Name: s.Name, Description: shortened(s.Description), Pipeline: pipeline}
	if body.State == "" {
		return 0, fmt.Errorf("gitlab: %s: %q is not a state", doing, s.State)
	}
	if len(s.URL) <= maxDescription {
		body.TargetURL = s.URL
	}
	var set status
	_, err := i.send(ctx, doing, http.MethodPost, projectPath(r, "statuses", commit), body, &set)
	var rejected *vcshost.Rejection
	if errors.As(err, &rejected) {
		repeated := strings.Contains(rejected.Words, "via :enqueue from :pending") || strings.Contains(rejected.Words, "via :enqueue from :running")
		switch {
		case rejected.Status == http.StatusBadRequest && s.State == vcshost.CheckPending && repeated:
			return 0, nil
		case rejected.Status == http.StatusConflict:
			return 0, vcshost.Limit(busyWait)
		}
	}
	return set.Pipeline, err
}

// shortened returns the first characters of a description. If some are left out, the last
// one is "…".
func shortened(text string) string {
	if all := []rune(text); len(all) > maxDescription {
		return string(all[:maxDescription-1]) + "…"
	}
	return text
}
