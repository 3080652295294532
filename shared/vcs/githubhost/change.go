package githubhost

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Branch returns a branch of a repository. It returns vcshost.ErrNoBranch if there
// is none.
func (i *Installation) Branch(ctx context.Context, r vcs.Description, name string) (vcshost.Branch, error) {
	const doing = "read branch"
	var b struct {
		Name   string `json:"name"`
		Commit struct {
			SHA string `json:"sha"`
		} `json:"commit"`
	}
	_, err := get(ctx, i.client, doing, fmt.Sprintf("repos/%s/%s/branches/%s", r.Owner, r.Name, url.PathEscape(name)), &b)
	switch {
	case errors.Is(err, vcshost.ErrGone):
		return vcshost.Branch{}, fmt.Errorf("%w: %w", vcshost.ErrNoBranch, err)
	case err != nil:
		return vcshost.Branch{}, err
	case b.Name != name || b.Commit.SHA == "":
		// After a branch was renamed, GitHub redirects to its new name.
		return vcshost.Branch{}, fmt.Errorf("github: %s: it is another branch now: %w", doing, vcshost.ErrNoBranch)
	}
	return vcshost.Branch{Name: b.Name, SHA: b.Commit.SHA}, nil
}

// PullRequest returns a pull request as it is now. It returns vcshost.ErrGone if
// there is none with the number.
func (i *Installation) PullRequest(ctx context.Context, r vcs.Description, number int64) (vcshost.PullRequest, error) {
	const doing = "read pull request"
	type end struct {
		Ref  string `json:"ref"`
		SHA  string `json:"sha"`
		Repo *struct {
			ID int64 `json:"id"`
		} `json:"repo"` // null if the fork is gone
	}
	var p struct {
		Number int64  `json:"number"`
		Title  string `json:"title"`
		State  string `json:"state"`
		Draft  bool   `json:"draft"`
		Merged bool   `json:"merged"`
		Merge  string `json:"merge_commit_sha"`
		// Mergeable is null until GitHub has tried to merge.
		Mergeable *bool `json:"mergeable"`
		User      struct {
			ID    int64  `json:"id"`
			Login string `json:"login"`
		} `json:"user"`
		Base end `json:"base"`
		Head end `json:"head"`
	}
	if _, err := get(ctx, i.client, doing, fmt.Sprintf("repos/%s/%s/pulls/%d", r.Owner, r.Name, number), &p); err != nil {
		return vcshost.PullRequest{}, err
	}
	if p.Number != number || p.State == "" || p.Base.Ref == "" || p.Base.SHA == "" || p.Head.Ref == "" || p.Head.SHA == "" {
		return vcshost.PullRequest{}, fmt.Errorf("github: %s: the answer does not have its number, state and branches", doing)
	}
	found := vcshost.PullRequest{
		Number: p.Number, Title: p.Title, Author: vcshost.Profile{ID: vcs.ID(strconv.FormatInt(p.User.ID, 10)), Login: p.User.Login},
		BaseBranch: p.Base.Ref, BaseSHA: p.Base.SHA, Branch: p.Head.Ref, SHA: p.Head.SHA,
		Open: p.State == "open", Merged: p.Merged, Draft: p.Draft,
	}
	if p.Merged {
		found.MergedSHA = p.Merge // of one that is open, it is the commit of a trial
	}
	switch {
	case !found.Open || p.Mergeable == nil:
	case *p.Mergeable:
		found.Merge = vcshost.MergePossible
	default:
		found.Merge = vcshost.MergeConflict
	}
	if p.Head.Repo != nil {
		found.From = vcs.ID(strconv.FormatInt(p.Head.Repo.ID, 10))
	}
	return found, nil
}
