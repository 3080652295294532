// Package vcsevent reads what GitHub and GitLab deliver to webhooks. It returns the
// facts that a delivery states about installations, repositories, pull requests and
// their comments.
// The package is pure. It reads only the members that it uses: a member that the
// event does not need may have any form, and an entry of a list that cannot be read
// is left out without the rest. Its invariant: each fact has its moment. So a store
// that keeps the fact with the largest version has the newest state, in whatever
// order deliveries are processed (see vcs.Version).
package vcsevent

import (
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Event is one delivery.
type Event struct {
	// Name is the host's name of the event, such as "pull_request" or "Merge
	// Request Hook". Action says what happened; it is empty if the event has none.
	Name, Action string
	// Installation and Repository are empty if the delivery names none.
	Installation, Repository vcs.ID
	// Facts are the facts that the delivery states. There are none if this server
	// does not use the event.
	Facts []Fact
	// Skipped describes the entries that could not be read and were left out, and
	// why: the first ten, and how many more.
	Skipped []string
}

// Timeless reports whether the event gives or takes repositories but does not state
// when. Such an event counts as of its arrival. So would a copy of it that is sent
// later.
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
// *RepositoriesListed, *RepositoriesGone, *ProjectsMoved, *PullRequestSeen,
// *Commented, *Pushed or *CIEnded.
type Fact interface{ fact() }

// InstallationSeen states facts about an installation.
type InstallationSeen struct {
	ID vcs.ID
	// Name is the name of the account. It is empty if the delivery does not state
	// it.
	Name string
	// TargetType is "Organization", "User" or "Enterprise"; it may be empty.
	TargetType string
	// State is "installed", "suspended" or "uninstalled". It is empty if the
	// delivery only mentions the installation, and so proves no more than that it
	// exists.
	State string
	vcs.Moment
}

// InstallationRenamed states the new name of an installation's account.
type InstallationRenamed struct {
	ID   vcs.ID
	Name string
	vcs.Moment
}

// RepositorySeen describes a repository as of its moment. If the moment has no
// time, the description is from some time before the delivery arrived.
type RepositorySeen struct {
	vcs.Description
	// There is the latest time of the host at which the repository certainly
	// existed. It is zero if the delivery does not state one. The repository may be
	// gone since the host made the delivery.
	There time.Time
	vcs.Moment
}

// RepositoriesListed states which repositories an installation was given. If it has
// a time, it also describes them as of that time. If not, the repositories exist as
// of the delivery's arrival, and the description counts as older than any other.
type RepositoriesListed struct {
	List []vcs.Description
	vcs.Moment
}

// RepositoriesGone states which repositories the installation no longer has: they
// were deleted, or taken from it. Hosts do not state when. So the fact is as of the
// delivery's arrival, or as of the host's last time of the repository if that is
// later.
type RepositoriesGone struct {
	IDs []vcs.ID
	vcs.Moment
}

// ProjectsMoved states that projects of a group may have been added, removed or
// moved. It does not state which ones.
type ProjectsMoved struct{}

// PullRequestSeen states all about a pull request or merge request.
type PullRequestSeen struct {
	Repository vcs.ID
	Number     int64
	// User is the author's login. GitLab states it only when a merge request is
	// opened, and MergedAt only when it is merged.
	Title, User string
	// State is "open", "closed" or "merged".
	State string
	// BaseSHA is empty on GitLab. SHA is empty if a merge request has no commit.
	BaseBranch, BaseSHA, Branch, SHA string
	MergedSHA                        string
	MergedAt                         time.Time // zero unless merged
	Draft                            bool
	// Action is what happened to it. Sender and SenderID are the login and the id of
	// the account that did so. They may be empty.
	Action   PullAction
	Sender   string
	SenderID vcs.ID
	vcs.Moment
}

// CIEnded states that a job or a run of a host's CI ended without success. If it
// ran for this server, its run gets no result any more. A delivery about a success
// states nothing: such a job has sent its result, or will never send one, and then
// the run ends by its time limit.
type CIEnded struct {
	Repository vcs.ID
	// Run is the id of GitHub's workflow run or of GitLab's pipeline, in decimal
	// digits.
	Run string
	// Job is the id of GitLab's job. It is empty if the whole run ended, and for
	// GitHub, whose runner names its workflow run.
	Job string
	// Conclusion is the host's word for the end, such as "failure", "cancelled" or
	// "timed_out".
	Conclusion string
	// URL is the page of the job or run, for people. It may be empty.
	URL string
}

func (*CIEnded) fact()             {}
func (*Commented) fact()           {}
func (*InstallationSeen) fact()    {}
func (*InstallationRenamed) fact() {}
func (*RepositorySeen) fact()      {}
func (*RepositoriesListed) fact()  {}
func (*RepositoriesGone) fact()    {}
func (*ProjectsMoved) fact()       {}
func (*PullRequestSeen) fact()     {}
func (*Pushed) fact()              {}
