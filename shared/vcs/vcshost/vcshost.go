// Package vcshost is what the clients of all VCS hosts share: the errors that
// callers act on, what these errors mean to people, what hosts tell of
// repositories and accounts, and how a request is sent. It links no host's
// library: package hostclient opens the clients, and packages githubhost and
// gitlabhost are the clients.
//
// A new call to a host is one method of githubhost.Installation, one method of
// gitlabhost.Installation with the same signature, one face of the stand-ins in
// infra/test/vcstest, and one method of an interface that the caller owns.
//
// # Calls whose answer is lost
//
// A request can take effect although its answer never arrives. Transport
// repeats reads only. All other requests are sent once, and the caller decides
// by the kind of the call:
//
//	kind of call        repeat it?   how to find what the lost request did
//	read                yes          Transport does so by itself, at most twice
//	installation token  yes          a spare token ends after an hour
//	OAuth code          no           each code works once: the person logs in again
//	refresh of a grant  once         the host refuses a token that was used: the person logs in again
//	commit status       yes          the host keeps the last one of a commit and a name
//	reaction            yes          GitHub has one of a kind for each account and subject; GitLab refuses the second (404)
//	branch, create      yes          the second is refused (422, 400): read the branch and compare its commit
//	branch, delete      yes          the second finds none: that is success
//	merge               yes          send the expected head with it; read the request first: merged is success
//	comment, create     no           list the newest comments of our account and look for the marker in the text
//	comment, change     yes          it names the comment's id and the whole text
//	comment, delete     yes          the second finds none: that is success
//	dispatch of a run   no           look for a run that began since the attempt was recorded; wait for its first call
//
// A caller of a call that is not repeated records the attempt, with the marker,
// before it sends the request. It records the outcome after it. Whoever finds an
// attempt without an outcome looks for the marker at the host first.
//
// A marker is an HTML comment in the last line of the text of a comment. It holds
// the id of the record of the attempt: "<!-- opsplane ID -->".
//
// Answers that say that nothing was done are no lost answers: a limit, and the
// statuses 401, 403, 404, 409 and 422. A request that ended without an answer, or
// with a status from 500 on, may have taken effect.
package vcshost

import (
	"errors"
	"fmt"
	"time"
)

// The errors of the clients. Each may be wrapped, and several may be in one error.
var (
	// ErrGone says that the host has no such thing, or does not show it to us.
	ErrGone = errors.New("the host has no such thing, or does not show it to this server")
	// ErrRefused says that the host does not accept the token.
	ErrRefused = errors.New("the host does not accept the token")
	// ErrForbidden says that the host accepts the token, but does not allow the
	// request. A Refusal says why, if the host does. It stays so until somebody
	// changes something at the host.
	ErrForbidden = errors.New("the host does not allow the request")
	// ErrNoInstallation says that the host has no such installation of our App.
	// It says nothing about the repositories that the installation had.
	ErrNoInstallation = errors.New("the host has no such installation")
	// ErrUnreachable says that the installation itself could not be read. It says
	// nothing about the repositories that the installation has.
	ErrUnreachable = errors.New("the installation cannot be read at the host")
	// ErrNoAnswer says that the host gave no answer about the person or thing in
	// question: the host is down or busy, it refuses this server, or a proxy
	// answered in its place. What the host said before may be used for a while.
	ErrNoAnswer = errors.New("the host gives no answer")
	// ErrNotConfigured says that the operator has not set up this server for the
	// host: it has no App there, or no key of it.
	ErrNotConfigured = errors.New("this server is not configured for the host")
	// ErrNoToken says that no access token is stored for the GitLab group, or none
	// that can be opened. It stays so until somebody stores one.
	ErrNoToken = errors.New("no access token is stored for the group")
)

// KeyError says that the private key of the GitHub App cannot be read. It stays
// so until somebody stores another one.
type KeyError struct {
	// Why says what is wrong with the key, and what to do. It holds no part of the
	// key.
	Why string
}

// Error implements error.
func (e *KeyError) Error() string {
	return "the private key of the GitHub App cannot be read: " + e.Why
}

// Limited says that the host accepts no more requests for a while.
type Limited struct {
	// RetryAfter is how long to wait: a second to a day.
	RetryAfter time.Duration
}

// Limit returns a Limited. A wait below a second becomes a second, and one above
// a day becomes a day.
func Limit(wait time.Duration) *Limited {
	return &Limited{RetryAfter: min(max(wait, time.Second), 24*time.Hour)}
}

// Error implements error.
func (l *Limited) Error() string {
	return fmt.Sprintf("the host accepts no more requests for %s", l.RetryAfter.Round(time.Second))
}

// ConcernsInstallation reports whether an error is about the whole installation,
// or about all of the host. Any other error may be about a single repository,
// and must not hold up the others.
func ConcernsInstallation(err error) bool {
	var limited *Limited
	var key *KeyError
	if errors.As(err, &limited) || errors.As(err, &key) {
		return true
	}
	for _, target := range []error{ErrRefused, ErrNoInstallation, ErrUnreachable, ErrElsewhere, ErrNotConfigured, ErrNoToken} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
