// Package vcsevent reads what GitHub and GitLab deliver to webhooks: the facts
// that a delivery tells about installations, repositories and pull requests. It
// is pure, and reads only the members that are used. Its invariant: a fact is
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
	"strings"
	"time"
	"unicode/utf8"
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
	// Name is the account's.
	ID, Name string
	// TargetType is "Organization" or "User".
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

// ProjectsMoved tells that projects of a GitLab group may have come, gone or
// moved, and not which ones.
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

// Undecodable is the error of a delivery that is not what its event should be.
type Undecodable struct {
	// Reason says which member is wrong. It has no text of the delivery.
	Reason string
}

// Error implements error.
func (u *Undecodable) Error() string { return "the delivery cannot be read: " + u.Reason }

func undecodable(format string, args ...any) *Undecodable {
	return &Undecodable{Reason: fmt.Sprintf(format, args...)}
}

// Limits of texts, in bytes. Longer names are refused, as nothing that a host
// sends has them; longer titles are cut.
const (
	maxName   = 255
	maxBranch = 1024
	maxTitle  = 1024
	maxSHA    = 64
)

// checker reads texts within limits and remembers the first that is not.
type checker struct{ err error }

func (c *checker) fail(format string, args ...any) {
	if c.err == nil {
		c.err = undecodable(format, args...)
	}
}

// name reads a text that must be there, of at most so many bytes.
func (c *checker) name(member, text string, most int) string {
	if text == "" || len(text) > most || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		c.fail("%s is missing, longer than %d bytes, or no text", member, most)
	}
	return text
}

// optional reads a text that may be absent.
func (c *checker) optional(member, text string, most int) string {
	if text == "" {
		return ""
	}
	return c.name(member, text, most)
}

// id reads an id, which must be positive.
func (c *checker) id(member string, n int64) string {
	if n <= 0 {
		c.fail("%s is missing or is not above 0", member)
		return ""
	}
	return fmt.Sprint(n)
}

// actionOf is what an event calls itself; empty if it is none of the short plain
// words that hosts have.
func actionOf(text string) string {
	if len(text) > maxName || strings.ContainsFunc(text, func(r rune) bool { return r < '!' || r > '~' }) {
		return ""
	}
	return text
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
