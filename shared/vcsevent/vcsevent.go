// Package vcsevent reads what GitHub and GitLab deliver to webhooks: the facts
// that a delivery tells about installations, repositories and pull requests. It
// is pure, and reads only the members that are used. Its invariant: a fact is
// told with a version, and the versions of facts about one thing are ordered as
// the facts came about, so that whoever keeps the fact with the largest version
// knows the truth, whatever the order in which deliveries arrive.
//
// A version is the host's own time of the fact, then a rank. Hosts' times have
// whole seconds, and several things can happen in one: of these, what comes
// later in a life wins.
//
//	rank  fact
//	0     a repository or pull request that exists, an installation that is active
//	1     a pull request that was closed, an installation that is suspended
//	2     a pull request that was merged
//	3     what is gone: removed, deleted, transferred, uninstalled
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

// Change is a fact: *InstallationSeen, *RepositorySeen, *RepositoryGone or
// *PullRequestSeen.
type Change interface{ change() }

// Version orders facts about one thing. Ties are broken by whoever stores them.
type Version struct {
	// At is the host's time of the fact, to the second; zero where the delivery
	// does not tell it: then it is when the delivery arrived.
	At time.Time
	// Rank orders facts of one time (see the package's table).
	Rank int
}

// Text is the version as a text that sorts: by time, rank, and the id of what
// told the fact, a delivery or a task.
func (v Version) Text(id string) string {
	return fmt.Sprintf("%013d.%02d.%s", v.At.UnixMilli(), v.Rank, id)
}

// RankRemoved is for what a user of ours has removed: it comes behind all that
// hosts told of the same millisecond.
const RankRemoved = rankGone + 1

// Ranks of facts that came about in the same second.
const (
	rankLive = iota
	rankClosed
	rankMerged
	rankGone
)

// InstallationSeen tells of an installation.
type InstallationSeen struct {
	// Name is the account's.
	ID, Name string
	// TargetType is "Organization" or "User" on GitHub, empty on GitLab.
	TargetType string
	// State is "installed", "suspended" or "uninstalled"; empty where the
	// delivery names the installation in passing, and tells no more than that
	// it exists.
	State string
	Version
}

// RepositorySeen tells of a repository that exists.
type RepositorySeen struct {
	ID, Owner, Name string
	// Private is nil where the delivery does not tell.
	Private *bool
	// Archived and DefaultBranch are told together: nil and empty where not.
	Archived      *bool
	DefaultBranch string
	Version
}

// RepositoryGone tells of a repository that the installation no longer has: it
// was deleted, transferred, or taken from the installation.
type RepositoryGone struct {
	ID string
	Version
}

// PullRequestSeen tells all of a pull or merge request.
type PullRequestSeen struct {
	// Repository is the id.
	Repository string
	Number     int64
	// User is the author's login. GitLab tells it only when one is opened, and
	// MergedAt only when it is merged.
	Title, User string
	// State is "open", "closed" or "merged".
	State                            string
	BaseBranch, BaseSHA, Branch, SHA string
	MergedSHA                        string
	MergedAt                         time.Time // zero unless merged
	Draft                            bool
	Version
}

func (*InstallationSeen) change() {}
func (*RepositorySeen) change()   {}
func (*RepositoryGone) change()   {}
func (*PullRequestSeen) change()  {}

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

// cut shortens a text to at most so many bytes, between two characters.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
