// Package vcsevent reads what GitHub and GitLab deliver to webhooks: the facts
// that a delivery tells about installations, repositories and pull requests. It
// is pure, and reads only the members that are used: what the event does not need
// may be anything, and an entry of a list that cannot be read is left out alone.
// Its invariant: a fact is
// told with a version, and the versions of facts about one thing are ordered as
// the facts came about, so that whoever keeps the fact with the largest version
// knows the truth, whatever the order in which deliveries are processed.
//
// A version is the host's own time of the fact, a rank, when the delivery
// arrived, and its id. Hosts' times have whole seconds, and several things can
// happen in one: what cannot be undone comes last, and otherwise the later
// arrival tells the later state. Two facts of one second that can both be undone
// and arrive crossed are the one thing that no order can be told of.
//
//	rank  fact
//	0     all that can change back: open, closed, installed, suspended, existing
//	1     the end of a suspension: GitHub sends it with the time of its beginning
//	2     a pull request that was merged, an installation that was uninstalled
//	3     a repository that is gone
package vcsevent

import (
	"fmt"
	"time"
)

// Event is one delivery.
type Event struct {
	// Name is the host's name of the event, such as "pull_request" or "Merge
	// Request Hook"; Action what happened, empty where the event has none.
	Name, Action string
	// Installation and Repository are ids, decimal digits; empty where the
	// delivery names none.
	Installation, Repository string
	// Changes are the facts that it tells; none if it is of no concern.
	Changes []Change
	// Skipped says what of it was left out, as it could not be read, and why: the
	// first ten, and how many more.
	Skipped []string
}

// Timeless reports whether the event gives repositories or takes them without
// telling when: it counts as of its arrival, and so would a copy of it that is
// sent later.
func (e Event) Timeless() bool {
	for _, c := range e.Changes {
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

// Change is a fact: *InstallationSeen, *InstallationRenamed, *RepositorySeen,
// *RepositoriesListed, *RepositoriesGone, *ProjectsMoved or *PullRequestSeen.
type Change interface{ change() }

// Version orders facts about one thing.
type Version struct {
	// At is the host's time of the fact, to the second; zero where the delivery
	// does not tell it.
	At time.Time
	// Rank orders facts of one time (see the package's table).
	Rank int
}

// Text is the version as a text that sorts: by the host's time, which must be
// set, by rank, by the time of arrival, to the millisecond, and by the id of what
// told the fact, a delivery or a task.
func (v Version) Text(arrived time.Time, id string) string {
	return fmt.Sprintf("%013d.%02d.%013d.%s", v.At.UnixMilli(), v.Rank, arrived.UnixMilli(), id)
}

// RankRemoved is for what a user of ours has removed: it comes behind all that
// hosts told of the same millisecond.
const RankRemoved = rankGone + 1

// Ranks of facts that came about in the same second.
const (
	rankLive = iota
	rankResumed
	rankEnded
	rankGone
)

// InstallationSeen tells of an installation.
type InstallationSeen struct {
	// Name is the account's; empty where the delivery does not tell it.
	ID, Name string
	// TargetType is "Organization", "User" or "Enterprise"; it may be empty.
	TargetType string
	// State is "installed", "suspended" or "uninstalled"; empty where the
	// delivery only mentions the installation, and tells no more than that it
	// exists.
	State string
	Version
}

// InstallationRenamed tells how the account of an installation is called now.
type InstallationRenamed struct {
	ID, Name string
	Version
}

// Repository describes a repository.
type Repository struct {
	// Owner is the account, or the group at the top; Name is the rest of the path,
	// which has slashes where a GitLab project lies in a group within a group.
	ID, Owner, Name string
	// Private and Archived are nil, and DefaultBranch is empty, where the
	// delivery does not tell.
	Private, Archived *bool
	DefaultBranch     string
}

// RepositorySeen describes a repository as of its version; without a time, as it
// was some while before the delivery arrived.
type RepositorySeen struct {
	Repository
	// There is the latest time of the host at which it certainly was there; zero
	// where the delivery does not tell. A repository that is gone may be gone
	// since the delivery was made.
	There time.Time
	Version
}

// RepositoriesListed tells which repositories an installation was given. With a
// time it also describes them as of it. Without one they are there since the
// delivery arrived, and are described as of any time before.
type RepositoriesListed struct {
	List []Repository
	Version
}

// RepositoriesGone tells which repositories the installation no longer has: they
// were deleted, or taken from it. Hosts do not tell when: it is as of the
// delivery's arrival, or of the host's last time of the repository if that is
// later.
type RepositoriesGone struct {
	IDs []string
	Version
}

// ProjectsMoved tells that projects of a group may have come, gone or moved, and
// not which ones.
type ProjectsMoved struct{}

// PullRequestSeen tells all of a pull or merge request.
type PullRequestSeen struct {
	// Repository is the id.
	Repository string
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
	Version
}

func (*InstallationSeen) change()    {}
func (*InstallationRenamed) change() {}
func (*RepositorySeen) change()      {}
func (*RepositoriesListed) change()  {}
func (*RepositoriesGone) change()    {}
func (*ProjectsMoved) change()       {}
func (*PullRequestSeen) change()     {}
