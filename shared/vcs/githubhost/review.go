package githubhost

import (
	"context"
	"fmt"
	"strconv"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// maxReviews is the maximum number of reviews that are read of a pull request.
const maxReviews = 1_000

// verdicts are the states of reviews that say something about a merge.
var verdicts = map[string]vcshost.Verdict{
	"APPROVED": vcshost.Approves, "CHANGES_REQUESTED": vcshost.RequestsChanges, "DISMISSED": vcshost.VerdictDismissed,
}

// Reviews returns the reviews of a pull request. Those of accounts that are gone are
// left out. Reviews returns vcshost.ErrTooLarge if the pull request has more than 1,000
// reviews: one that is not read could take an approval back.
func (i *Installation) Reviews(ctx context.Context, r vcs.Description, number int64) (vcshost.Reviews, error) {
	const doing = "list reviews"
	at := fmt.Sprintf("repos/%s/%s/pulls/%d", r.Owner, r.Name, number)
	var found vcshost.Reviews
	for page := 1; page != 0; {
		if page > maxReviews/pageSize {
			return vcshost.Reviews{}, fmt.Errorf("github: %s: more than %d: %w", doing, maxReviews, vcshost.ErrTooLarge)
		}
		var list []struct {
			State string `json:"state"`
			User  *struct {
				ID    int64  `json:"id"`
				Login string `json:"login"`
			} `json:"user"` // null if the account is gone
		}
		next, err := pageOf(ctx, i.client, doing, at+"/reviews", page, pageSize, &list)
		if err != nil {
			return vcshost.Reviews{}, err
		}
		if list == nil {
			return vcshost.Reviews{}, fmt.Errorf("github: %s: the answer has no list", doing)
		}
		for _, review := range list {
			verdict, ok := verdicts[review.State]
			if !ok || review.User == nil {
				continue
			}
			author := vcshost.Profile{ID: vcs.ID(strconv.FormatInt(review.User.ID, 10)), Login: review.User.Login}
			if err := author.Check(); err != nil {
				return vcshost.Reviews{}, fmt.Errorf("github: %s: %w", doing, err)
			}
			found.List = append(found.List, vcshost.Review{Author: author, Verdict: verdict})
		}
		page = next
	}
	var requested struct {
		Users []struct{} `json:"users"`
		Teams []struct{} `json:"teams"`
	}
	if _, err := get(ctx, i.client, "list requested reviewers", at+"/requested_reviewers", &requested); err != nil {
		return vcshost.Reviews{}, err
	}
	if requested.Users == nil || requested.Teams == nil {
		return vcshost.Reviews{}, fmt.Errorf("github: list requested reviewers: the answer has no lists")
	}
	found.Requested = len(requested.Users) + len(requested.Teams)
	return found, nil
}
