package vcs

import (
	"fmt"
	"time"
)

// Version orders the facts about one thing by the time at which they became true.
// Versions are compared as texts, with <. A store that keeps the fact with the
// largest version has the newest state, in whatever order facts arrive. The empty
// Version is for a fact whose time nobody knows. It comes before all others.
//
// A version consists of the host's own time of the fact, a Rank, the time when the
// fact arrived, and the id of its source. Hosts' times have whole seconds, and
// several things can happen in one second. Within a second, what cannot be undone
// comes last. Otherwise the fact that arrived later is the newer one. If two facts
// of one second can both be undone, and they arrive in the wrong order, their order
// cannot be found.
type Version string

// Rank orders facts of the same time.
type Rank int

// The ranks.
const (
	// RankLive is for every state that can change back: open, closed, installed,
	// suspended, existing.
	RankLive Rank = iota
	// RankResumed is for the end of a suspension. GitHub sends it with the time at
	// which the suspension began.
	RankResumed
	// RankEnded is for a pull request that was merged, and for an installation
	// that was uninstalled.
	RankEnded
	// RankGone is for a repository that is gone.
	RankGone
	// RankRemoved is for what a user of this server has removed. It comes after all
	// that hosts stated with the same time.
	RankRemoved
)

// Moment is the time of a fact, as far as its source states it.
type Moment struct {
	// At is the host's time of the fact, in whole seconds. It is zero if it is not
	// stated.
	At time.Time
	// Rank orders facts of one time.
	Rank Rank
}

// MaxAhead is how far the clock of a host may be ahead of ours. A fact that is dated
// later counts as of this long after its arrival. Otherwise a wrong or forged date in
// the far future would hide all that the host states from then on, and no refresh
// could repair it.
const MaxAhead = 5 * time.Minute

// Version returns the version of a fact of this moment that arrived at a time.
// arrived counts to the millisecond. id is the id of the source: a delivery, a task
// or a request. At must be set; it counts as at most MaxAhead after arrived.
func (m Moment) Version(arrived time.Time, id string) Version {
	if latest := arrived.Add(MaxAhead).Truncate(time.Second); m.At.After(latest) {
		m.At = latest
	}
	return Version(fmt.Sprintf("%013d.%02d.%013d.%s", m.At.UnixMilli(), m.Rank, arrived.UnixMilli(), id))
}
