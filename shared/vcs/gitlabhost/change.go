package gitlabhost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Branch returns a branch of a project. It returns vcshost.ErrNoBranch if there is
// none.
func (i *Installation) Branch(ctx context.Context, r vcs.Description, name string) (vcshost.Branch, error) {
	const doing = "read branch"
	var b struct {
		Name   string `json:"name"`
		Commit struct {
			ID string `json:"id"`
		} `json:"commit"`
	}
	_, err := i.get(ctx, doing, projectPath(r, "repository", "branches", name), nil, &b)
	switch {
	case errors.Is(err, vcshost.ErrGone):
		return vcshost.Branch{}, fmt.Errorf("%w: %w", vcshost.ErrNoBranch, err)
	case err != nil:
		return vcshost.Branch{}, err
	case b.Name != name || b.Commit.ID == "":
		return vcshost.Branch{}, fmt.Errorf("gitlab: %s: the answer does not have its name and commit", doing)
	}
	return vcshost.Branch{Name: b.Name, SHA: b.Commit.ID}, nil
}

// PullRequest returns a merge request as it is now. It returns vcshost.ErrGone if
// there is none with the number.
func (i *Installation) PullRequest(ctx context.Context, r vcs.Description, number int64) (vcshost.PullRequest, error) {
	m, err := i.mergeRequest(ctx, r, number)
	if err != nil {
		return vcshost.PullRequest{}, err
	}
	return m.read(), nil
}

// mergeRequest is what GitLab states about a merge request.
type mergeRequest struct {
	IID    int64  `json:"iid"`
	Title  string `json:"title"`
	State  string `json:"state"`
	Draft  bool   `json:"draft"`
	SHA    string `json:"sha"`
	Source string `json:"source_branch"`
	Target string `json:"target_branch"`
	From   int64  `json:"source_project_id"`
	Merge  string `json:"merge_commit_sha"`
	Squash string `json:"squash_commit_sha"`
	// Status and Conflicts say whether it could be merged. Status is the first of all
	// reasons why not, so that a conflict may hide behind another one.
	Status    string `json:"detailed_merge_status"`
	Conflicts bool   `json:"has_conflicts"`
	Author    struct {
		ID       int64  `json:"id"`
		Username string `json:"username"`
	} `json:"author"`
	Refs struct {
		Base string `json:"base_sha"`
	} `json:"diff_refs"`
}

// locked is the state of a merge request while it is being merged.
const locked = "locked"

func (i *Installation) mergeRequest(ctx context.Context, r vcs.Description, number int64) (mergeRequest, error) {
	const doing = "read merge request"
	var m mergeRequest
	if _, err := i.get(ctx, doing, mergePath(r, number), nil, &m); err != nil {
		return mergeRequest{}, err
	}
	if m.IID != number || m.State == "" || m.Source == "" || m.Target == "" || m.SHA == "" || m.Refs.Base == "" {
		return mergeRequest{}, fmt.Errorf("gitlab: %s: the answer does not have its number, state, branches and commits", doing)
	}
	return m, nil
}

func (m mergeRequest) read() vcshost.PullRequest {
	found := vcshost.PullRequest{
		Number: m.IID, Title: m.Title, Author: vcshost.Profile{ID: vcs.ID(strconv.FormatInt(m.Author.ID, 10)), Login: m.Author.Username},
		BaseBranch: m.Target, BaseSHA: m.Refs.Base, Branch: m.Source, SHA: m.SHA,
		Open: m.State == "opened" || m.State == locked, Merged: m.State == "merged", Draft: m.Draft,
	}
	if m.From > 0 {
		found.From = vcs.ID(strconv.FormatInt(m.From, 10))
	}
	if found.Open {
		found.Merge = m.mergeability()
	}
	if found.Merged {
		// A fast-forward makes no commit of its own: then the head is in the target.
		for _, sha := range []string{m.Merge, m.Squash, m.SHA} {
			if sha != "" {
				found.MergedSHA = sha
				break
			}
		}
	}
	return found
}

// mergeability returns whether the branches have a conflict. All other reasons why GitLab
// does not merge, such as a missing approval or a pipeline that runs, are no conflict
// ("Merge requests API", GitLab documentation: merge status).
func (m mergeRequest) mergeability() vcshost.Mergeability {
	switch m.Status {
	case "", "unchecked", "checking", "preparing", "not_open":
		return vcshost.MergeUnknown
	case "conflict", "broken_status":
		return vcshost.MergeConflict
	}
	if m.Conflicts {
		return vcshost.MergeConflict
	}
	return vcshost.MergePossible
}

// DeleteBranch deletes a branch. It returns nil if there is none, so that it is safe to
// repeat.
func (i *Installation) DeleteBranch(ctx context.Context, r vcs.Description, name string) error {
	_, err := i.send(ctx, "delete branch", http.MethodDelete, projectPath(r, "repository", "branches", name), nil, nil)
	if errors.Is(err, vcshost.ErrGone) {
		return nil
	}
	return err
}
