package githubhost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Merge merges a pull request. It is safe to repeat: it reads the pull request first,
// and returns nil if it is merged. It returns vcshost.ErrNotMergeable if the pull
// request is closed, has another head, or if GitHub does not merge it. Then the error
// also wraps a vcshost.Rejection or a vcshost.Refusal, if GitHub says why. GitHub
// refuses, for one, to let an App without the permission "workflows" merge a change of
// a workflow file.
func (i *Installation) Merge(ctx context.Context, r vcs.Description, number int64, m vcshost.Merge) error {
	const doing = "merge pull request"
	p, err := i.PullRequest(ctx, r, number)
	switch {
	case err != nil:
		return err
	case p.Merged:
		return nil
	case !p.Open:
		return fmt.Errorf("github: %s: it is closed: %w", doing, vcshost.ErrNotMergeable)
	case p.SHA != m.Head:
		return fmt.Errorf("github: %s: it has another head: %w", doing, vcshost.ErrNotMergeable)
	}
	method := m.Method
	if method == vcshost.MergeAuto {
		if method, err = i.mergeMethod(ctx, r); err != nil {
			return err
		}
	}
	body := map[string]any{"sha": m.Head, "merge_method": string(method)}
	if m.Title != "" {
		body["commit_title"] = m.Title
	}
	err = i.send(ctx, http.MethodPut, doing, fmt.Sprintf("repos/%s/%s/pulls/%d/merge", r.Owner, r.Name, number), body, nil)
	var (
		rejected *vcshost.Rejection
		refused  *vcshost.Refusal
	)
	if errors.As(err, &rejected) || errors.As(err, &refused) {
		return fmt.Errorf("%w: %w", vcshost.ErrNotMergeable, err)
	}
	return err
}

// mergeMethod returns the first method that a repository allows: merge, squash, rebase.
// An App without write access to contents does not see what is allowed. Then it is
// merge, as it is at GitHub.
func (i *Installation) mergeMethod(ctx context.Context, r vcs.Description) (vcshost.MergeMethod, error) {
	var found struct {
		Merge  *bool `json:"allow_merge_commit"`
		Squash *bool `json:"allow_squash_merge"`
		Rebase *bool `json:"allow_rebase_merge"`
	}
	if _, err := get(ctx, i.client, "read merge methods", fmt.Sprintf("repos/%s/%s", r.Owner, r.Name), &found); err != nil {
		return "", err
	}
	for _, method := range []struct {
		allowed *bool
		is      vcshost.MergeMethod
	}{{found.Merge, vcshost.MergeMerge}, {found.Squash, vcshost.MergeSquash}, {found.Rebase, vcshost.MergeRebase}} {
		if method.allowed != nil && *method.allowed {
			return method.is, nil
		}
	}
	return vcshost.MergeMerge, nil
}

// DeleteBranch deletes a branch. It is safe to repeat: it returns nil if there is no
// such branch.
func (i *Installation) DeleteBranch(ctx context.Context, r vcs.Description, name string) error {
	err := i.send(ctx, http.MethodDelete, "delete branch", fmt.Sprintf("repos/%s/%s/git/refs/heads/%s", r.Owner, r.Name, escaped(name)), nil, nil)
	var rejected *vcshost.Rejection
	switch {
	case errors.Is(err, vcshost.ErrGone):
		return nil
	case errors.As(err, &rejected) && strings.HasPrefix(strings.ToLower(rejected.Words), "reference does not exist"):
		return nil
	}
	return err
}
