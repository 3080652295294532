package vcs

import (
	"fmt"
	"time"
)

// Version orders the facts that are told about one thing, as they came about.
// Versions are compared as texts, with <. Whoever keeps the fact with the largest
// version knows the truth, whatever the order in which facts arrive. The empty
// Version is that of a fact whose time nobody knows; it comes before all others.
//
// A version is made of the host's own time of the fact, a Rank, the time when
// the fact arrived, and the id of what told it. Hosts' times have whole seconds,
// and several things can happen in one: what cannot be undone comes last, and
// otherwise the later arrival tells the later state. Two facts of one second that
// can both be undone, and that arrive crossed, cannot be put in order.
type Version string

// Rank orders facts of the same time.
type Rank int

// The ranks.
const (
	// RankLive is for all that can change back: open, closed, installed,
	// suspended, existing.
	RankLive Rank = iota
	// RankResumed is for the end of a suspension, which GitHub sends with the
	// time of the suspension's beginning.
	RankResumed
	// RankEnded is for a pull request that was merged, and for an installation
	// that was uninstalled.
	RankEnded
	// RankGone is for a repository that is gone.
	RankGone
	// RankRemoved is for what a user of this server has removed. It comes behind
	// all that hosts told of the same millisecond.
	RankRemoved
)

// Moment is when a fact came about, as far as its teller says.
type Moment struct {
	// At is the host's time of the fact, whole seconds; zero where it is not told.
	At time.Time
	// Rank orders facts of one time.
	Rank Rank
}

// Version returns the version of a fact of this moment that arrived at a time,
// which counts to the millisecond. id is the id of what told it: a delivery, a
// task or a request. At must be set.
func (m Moment) Version(arrived time.Time, id string) Version {
	return Version(fmt.Sprintf("%013d.%02d.%013d.%s", m.At.UnixMilli(), m.Rank, arrived.UnixMilli(), id))
}
