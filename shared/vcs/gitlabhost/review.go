package gitlabhost

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// maxReviewers is the maximum number of reviewers of a merge request that are read. GitLab
// allows 200 ("Merge request reviews", GitLab documentation).
const maxReviewers = 1000

// Reviews returns who approves a merge request and who requests changes. GitLab keeps one
// state of each person, and no dismissed review: it removes approvals when the project's
// settings say so, for example after a push. The approvals come first, so that a request
// for changes counts if GitLab states both of a person.
func (i *Installation) Reviews(ctx context.Context, r vcs.Description, number int64) (vcshost.Reviews, error) {
	const doing = "read approvals"
	var approvals struct {
		By []struct {
			User person `json:"user"`
		} `json:"approved_by"`
	}
	if _, err := i.get(ctx, doing, mergePath(r, number, "approvals"), nil, &approvals); err != nil {
		return vcshost.Reviews{}, err
	}
	if approvals.By == nil {
		return vcshost.Reviews{}, fmt.Errorf("gitlab: %s: the answer has no list", doing)
	}
	var found vcshost.Reviews
	for _, each := range approvals.By {
		if err := each.User.complete(); err != nil {
			return vcshost.Reviews{}, fmt.Errorf("gitlab: %s: %w", doing, err)
		}
		found.List = append(found.List, vcshost.Review{Author: each.User.profile(), Verdict: vcshost.Approves})
	}
	reviewers, err := listed(ctx, i.Client, "read reviewers", mergePath(r, number, "reviewers"), pageOptions{}, maxReviewers, reviewer.complete)
	if err != nil {
		return vcshost.Reviews{}, err
	}
	for _, each := range reviewers {
		switch each.State {
		case "approved", "reviewed":
		case "requested_changes":
			found.List = append(found.List, vcshost.Review{Author: each.User.profile(), Verdict: vcshost.RequestsChanges})
		default: // unreviewed, review_started, unapproved: an approval that was taken back
			found.Requested++
		}
	}
	return found, nil
}

// person is an account in a response.
type person struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

func (p person) complete() error {
	if p.ID <= 0 || p.Username == "" {
		return errors.New("an account does not have its id and name")
	}
	return nil
}

func (p person) profile() vcshost.Profile {
	return vcshost.Profile{ID: vcs.ID(strconv.FormatInt(p.ID, 10)), Login: p.Username}
}

// reviewer is a person whose review was requested.
type reviewer struct {
	User  person `json:"user"`
	State string `json:"state"`
}

func (r reviewer) complete() error {
	if r.State == "" {
		return errors.New("it has no state")
	}
	return r.User.complete()
}
