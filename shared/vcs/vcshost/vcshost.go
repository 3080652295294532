// Package vcshost is what the clients of VCS hosts have in common: the errors on
// which callers act, and how patient a request is.
package vcshost

import (
	"errors"
	"fmt"
	"time"
)

// ErrGone says that the host knows no such thing, or shows it not to us.
var ErrGone = errors.New("the host knows no such thing, or does not show it")

// ErrRefused says that the host does not take the token.
var ErrRefused = errors.New("the host does not take the token")

// ErrForbidden says that the host takes the token, but does not allow what was
// asked: a Refusal says why, as far as the host does. Nothing changes that but
// somebody at the host.
var ErrForbidden = errors.New("the host does not allow it")

// ErrNoInstallation says that the host has no such installation of our App, so
// that nothing can be said of what it holds.
var ErrNoInstallation = errors.New("the host has no such installation")

// ErrNoAnswer says that the host gave no answer that says anything of whom or what
// it was asked about: it is away, busy, or refuses this server, or something before
// it answers in its place. What it said before may be used for a while.
var ErrNoAnswer = errors.New("the host gives no answer")

// Limited says that the host takes no more requests for a while.
type Limited struct {
	// RetryAfter is how long to wait: a second to a day.
	RetryAfter time.Duration
}

// Limit makes a Limited; what is shorter or longer than it may be is cut.
func Limit(wait time.Duration) *Limited {
	return &Limited{RetryAfter: min(max(wait, time.Second), 24*time.Hour)}
}

// Error implements error.
func (l *Limited) Error() string {
	return fmt.Sprintf("the host takes no more requests for %s", l.RetryAfter.Round(time.Second))
}
