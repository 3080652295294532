// Package pullrequest keeps the pull requests (GitHub) and merge requests (GitLab)
// of the installations, as the VCS hosts have stated them. Its invariant: the
// newest fact is stored. The order in which facts arrive, and how often they
// arrive, does not matter.
package pullrequest

import (
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
)

// State says whether a pull request is open, or how it ended.
type State string

// The states.
const (
	Open   State = "open"
	Closed State = "closed"
	Merged State = "merged"
)

// PullRequest is one pull request or merge request.
type PullRequest struct {
	// Repository is the host's id of the repository.
	Repository vcs.ID
	// Number is the host's number within the repository. The first is 1.
	Number int64
	// Title and User may be empty. User is the login of the person who opened it.
	Title, User string
	// State says whether it is open, or how it ended.
	State State
	// BaseBranch is the branch to merge into, as it was at the commit BaseSHA.
	// Branch is the branch to merge, at the commit SHA.
	BaseBranch, BaseSHA, Branch, SHA string
	// MergedSHA and MergedAt (whole seconds) are empty unless the pull request was
	// merged.
	MergedSHA string
	MergedAt  time.Time
	// Draft says that the pull request is not ready for review.
	Draft bool
}

// Cursor returns the pull request's place in a list. The largest numbers come
// first.
func (p PullRequest) Cursor() string { return place(p.Number, p.Repository) }

// place sorts by number, then by repository id, both in numeric order. Two
// repositories may have pull requests with the same number.
func place(number int64, repository vcs.ID) string {
	return fmt.Sprintf("%0*d#", numberDigits, number) + repository.Sortable()
}

// numberDigits is the number of digits of the largest 63-bit number.
const numberDigits = 19
