package run

import (
	"fmt"
	"strconv"
)

// KindName says what a run belongs to.
type KindName string

// The names of kinds.
const (
	// PullRequest is the kind of runs of a pull request.
	PullRequest KindName = "pr"
	// Drift is the kind of runs that compare infrastructure with a branch.
	Drift KindName = "drift"
	// Branch is the kind of runs that somebody starts by API on a branch.
	Branch KindName = "branch"
)

// Shown returns the text with which the API shows a kind other than a pull request. The
// contract knows "drift" and "index" only, and clients refuse other texts. So a run on a
// branch is shown as "index", which no client takes for drift.
func (n KindName) Shown() string {
	if n == Branch {
		return "index"
	}
	return string(n)
}

// Kind is what a run belongs to.
type Kind struct {
	Name KindName
	// Number and Title are those of the pull request, at the time when the run was
	// created. They are zero for other kinds. The title may be empty.
	Number int64
	Title  string
}

// valid returns an error for a kind that no run may have.
func (k Kind) valid() error {
	switch k.Name {
	case PullRequest:
		if k.Number <= 0 {
			return fmt.Errorf("a run of a pull request has the number %d; the first number is 1", k.Number)
		}
	case Drift, Branch:
		if k.Number != 0 || k.Title != "" {
			return fmt.Errorf("a run of kind %q names the pull request %d", k.Name, k.Number)
		}
	default:
		return fmt.Errorf("a run has the unknown kind %q", k.Name)
	}
	return nil
}

// Origin names what runs of a repository came from. An unlock ends all runs of one
// origin: those of a pull request, or those that look for drift. No route unlocks the
// runs of a branch. Stored keys contain the origin.
type Origin string

// OriginOfPullRequest returns the origin of the runs of a pull request.
func OriginOfPullRequest(number int64) Origin { return Origin(strconv.FormatInt(number, 10)) }

// OriginOfBranch returns the origin of the runs that were started by API on a branch.
func OriginOfBranch(branch string) Origin { return Origin("BRANCH#" + branch) }

// OriginOfDrift is the origin of the runs that look for drift.
const OriginOfDrift Origin = "DRIFT"

// PullRequest returns the number of the pull request that the origin names. It reports
// false for other origins.
func (o Origin) PullRequest() (int64, bool) {
	number, err := strconv.ParseInt(string(o), 10, 64)
	return number, err == nil
}
