package gitlabhost

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Merge merges a merge request. It is safe to repeat: it reads the merge request first,
// and returns nil if that is merged. It returns vcshost.ErrNotMergeable, with GitLab's
// reason where there is one, and a vcshost.Limited while GitLab merges it.
//
// At GitLab the project decides how branches are merged: with a merge commit, with a merge
// commit after a rebase, or by a fast-forward. A request can only choose whether the
// commits are squashed. So MergeMerge and MergeRebase merge as the project says, without a
// squash, and MergeAuto leaves the choice to the merge request. Nothing is rebased here: a
// rebase would make another commit than the one that was planned and applied.
func (i *Installation) Merge(ctx context.Context, r vcs.Description, number int64, m vcshost.Merge) error {
	const doing = "merge"
	found, err := i.mergeRequest(ctx, r, number)
	switch {
	case err != nil:
		return err
	case found.State == "merged":
		return nil
	case found.State == locked:
		return vcshost.Limit(busyWait)
	case found.State != "opened":
		return fmt.Errorf("gitlab: %s: %w: it is closed", doing, vcshost.ErrNotMergeable)
	case found.SHA != m.Head:
		return fmt.Errorf("gitlab: %s: %w: its head is another commit", doing, vcshost.ErrNotMergeable)
	}
	body := struct {
		SHA           string `json:"sha"`
		Squash        *bool  `json:"squash,omitempty"`
		Message       string `json:"merge_commit_message,omitempty"`
		SquashMessage string `json:"squash_commit_message,omitempty"`
	}{SHA: m.Head}
	squash := m.Method == vcshost.MergeSquash
	if m.Method != vcshost.MergeAuto {
		body.Squash = &squash
	}
	if squash || body.Squash == nil {
		body.SquashMessage = m.Title
	}
	if !squash {
		body.Message = m.Title
	}
	var answer mergeRequest
	_, err = i.send(ctx, doing, http.MethodPut, mergePath(r, number, "merge"), body, &answer)
	var rejected *vcshost.Rejection
	switch {
	case errors.As(err, &rejected), errors.Is(err, vcshost.ErrForbidden):
		return fmt.Errorf("%w: %w", vcshost.ErrNotMergeable, err)
	case errors.Is(err, vcshost.ErrRefused):
		// The token was accepted for the first request. GitLab responds with 401 if the
		// account of the token may not merge into the branch ("Merge requests API",
		// GitLab documentation: merge a merge request).
		return fmt.Errorf("gitlab: %s: %w: %w", doing, vcshost.ErrNotMergeable, &vcshost.Refusal{})
	case err != nil:
		return err
	case answer.State == "opened":
		return fmt.Errorf("gitlab: %s: %w: it is still open", doing, vcshost.ErrNotMergeable)
	}
	return nil
}
