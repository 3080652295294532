// Package pullrequest keeps the pull requests (GitHub) and merge requests
// (GitLab) of the installations, as far as the VCS hosts have told. Its
// invariant: what is stored is the newest fact that was told, in whatever order
// and however often facts arrive.
package pullrequest

import (
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
)

// State is whether a pull request is open, or how it ended.
type State string

// The states.
const (
	Open   State = "open"
	Closed State = "closed"
	Merged State = "merged"
)

// PullRequest is one pull or merge request.
type PullRequest struct {
	// Repository is the host's id of its repository.
	Repository vcs.ID
	// Number is what the host calls it within the repository, from 1 on.
	Number int64
	// Title and User, the author's login, may be empty.
	Title, User string
	// State is whether it is open, or how it ended.
	State State
	// BaseBranch is where it is to be merged, as it was at the commit BaseSHA;
	// Branch is what is to be merged, at the commit SHA.
	BaseBranch, BaseSHA, Branch, SHA string
	// MergedSHA and MergedAt (whole seconds) are empty unless it was merged.
	MergedSHA string
	MergedAt  time.Time
	// Draft ones are not to be reviewed yet.
	Draft bool
}

// Cursor places the pull request in a list: the newest numbers come first.
func (p PullRequest) Cursor() string { return place(p.Number, p.Repository) }

// place sorts by number, then by repository, as numbers do. Numbers repeat
// across repositories.
func place(number int64, repository vcs.ID) string {
	return fmt.Sprintf("%0*d#", numberDigits, number) + repository.Sortable()
}

// numberDigits are those of the largest 63-bit number.
const numberDigits = 19
