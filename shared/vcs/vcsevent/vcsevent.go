// Package vcsevent reads what GitHub and GitLab deliver to webhooks: the facts
// that a delivery tells about installations, repositories and pull requests. It
// is pure, and reads only the members that are used: what the event does not need
// may be anything, and an entry of a list that cannot be read is left out alone.
// Its invariant: a fact is told with its moment, so that whoever keeps the fact
// with the largest version knows the truth, whatever the order in which
// deliveries are processed (see vcs.Version).
package vcsevent

import (
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Event is one delivery.
type Event struct {
	// Name is the host's name of the event, such as "pull_request" or "Merge
	// Request Hook"; Action what happened, empty where the event has none.
	Name, Action string
	// Installation and Repository are empty where the delivery names none.
	Installation, Repository vcs.ID
	// Facts are what it tells; none if it is of no concern.
	Facts []Fact
	// Skipped says what of it was left out, as it could not be read, and why: the
	// first ten, and how many more.
	Skipped []string
}

// Timeless reports whether the event gives repositories or takes them without
// telling when: it counts as of its arrival, and so would a copy of it that is
// sent later.
func (e Event) Timeless() bool {
	for _, c := range e.Facts {
		switch c := c.(type) {
		case *RepositoriesGone:
			return true
		case *RepositoriesListed:
			if c.At.IsZero() {
				return true
			}
		}
	}
	return false
}

// Fact is one of *InstallationSeen, *InstallationRenamed, *RepositorySeen,
// *RepositoriesListed, *RepositoriesGone, *ProjectsMoved or *PullRequestSeen.
type Fact interface{ fact() }

// InstallationSeen tells of an installation.
type InstallationSeen struct {
	ID vcs.ID
	// Name is the account's; empty where the delivery does not tell it.
	Name string
	// TargetType is "Organization", "User" or "Enterprise"; it may be empty.
	TargetType string
	// State is "installed", "suspended" or "uninstalled"; empty where the
	// delivery only mentions the installation, and tells no more than that it
	// exists.
	State string
	vcs.Moment
}

// InstallationRenamed tells how the account of an installation is called now.
type InstallationRenamed struct {
	ID   vcs.ID
	Name string
	vcs.Moment
}

// RepositorySeen describes a repository as of its moment; without a time, as it
// was some while before the delivery arrived.
type RepositorySeen struct {
	vcs.Description
	// There is the latest time of the host at which it certainly was there; zero
	// where the delivery does not tell. A repository that is gone may be gone
	// since the delivery was made.
	There time.Time
	vcs.Moment
}

// RepositoriesListed tells which repositories an installation was given. With a
// time it also describes them as of it. Without one they are there since the
// delivery arrived, and are described as of any time before.
type RepositoriesListed struct {
	List []vcs.Description
	vcs.Moment
}

// RepositoriesGone tells which repositories the installation no longer has: they
// were deleted, or taken from it. Hosts do not tell when: it is as of the
// delivery's arrival, or of the host's last time of the repository if that is
// later.
type RepositoriesGone struct {
	IDs []vcs.ID
	vcs.Moment
}

// ProjectsMoved tells that projects of a group may have come, gone or moved, and
// not which ones.
type ProjectsMoved struct{}

// PullRequestSeen tells all of a pull or merge request.
type PullRequestSeen struct {
	Repository vcs.ID
	Number     int64
	// User is the author's login. GitLab tells it only when one is opened, and
	// MergedAt only when it is merged.
	Title, User string
	// State is "open", "closed" or "merged".
	State string
	// BaseSHA is empty on GitLab, and SHA where a merge request has no commit.
	BaseBranch, BaseSHA, Branch, SHA string
	MergedSHA                        string
	MergedAt                         time.Time // zero unless merged
	Draft                            bool
	vcs.Moment
}

func (*InstallationSeen) fact()    {}
func (*InstallationRenamed) fact() {}
func (*RepositorySeen) fact()      {}
func (*RepositoriesListed) fact()  {}
func (*RepositoriesGone) fact()    {}
func (*ProjectsMoved) fact()       {}
func (*PullRequestSeen) fact()     {}
