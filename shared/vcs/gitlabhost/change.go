package gitlabhost

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	gitlab "gitlab.com/gitlab-org/api/client-go"

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
	_, err := i.get(ctx, doing, "projects/"+gitlab.PathEscape(string(r.ID))+"/repository/branches/"+gitlab.PathEscape(name), nil, &b)
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
	const doing = "read merge request"
	var m struct {
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
		Author struct {
			ID       int64  `json:"id"`
			Username string `json:"username"`
		} `json:"author"`
		Refs struct {
			Base string `json:"base_sha"`
		} `json:"diff_refs"`
	}
	if _, err := i.get(ctx, doing, fmt.Sprintf("projects/%s/merge_requests/%d", gitlab.PathEscape(string(r.ID)), number), nil, &m); err != nil {
		return vcshost.PullRequest{}, err
	}
	if m.IID != number || m.State == "" || m.Source == "" || m.Target == "" || m.SHA == "" || m.Refs.Base == "" {
		return vcshost.PullRequest{}, fmt.Errorf("gitlab: %s: the answer does not have its number, state, branches and commits", doing)
	}
	found := vcshost.PullRequest{
		Number: m.IID, Title: m.Title, Author: vcshost.Profile{ID: vcs.ID(strconv.FormatInt(m.Author.ID, 10)), Login: m.Author.Username},
		BaseBranch: m.Target, BaseSHA: m.Refs.Base, Branch: m.Source, SHA: m.SHA,
		// A merge request is "locked" while it is being merged.
		Open: m.State == "opened" || m.State == "locked", Merged: m.State == "merged", Draft: m.Draft,
	}
	if m.From > 0 {
		found.From = vcs.ID(strconv.FormatInt(m.From, 10))
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
	return found, nil
}

// developer is the access level of GitLab from which a member may push.
const developer = 30

// MayWrite reports whether an account is a member of a project, direct or through a
// group, with at least the role of a developer.
func (i *Installation) MayWrite(ctx context.Context, r vcs.Description, account vcshost.Profile) (bool, error) {
	const doing = "read membership"
	var m struct {
		ID    int64  `json:"id"`
		Level int    `json:"access_level"`
		State string `json:"state"`
	}
	_, err := i.get(ctx, doing, fmt.Sprintf("projects/%s/members/all/%s", gitlab.PathEscape(string(r.ID)), gitlab.PathEscape(string(account.ID))), nil, &m)
	switch {
	case errors.Is(err, vcshost.ErrGone):
		return false, nil
	case err != nil:
		return false, err
	case m.ID <= 0:
		return false, fmt.Errorf("gitlab: %s: the answer does not have the member's id", doing)
	}
	return strconv.FormatInt(m.ID, 10) == string(account.ID) && m.State == "active" && m.Level >= developer, nil
}
