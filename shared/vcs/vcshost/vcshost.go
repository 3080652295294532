// Package vcshost holds what the clients of all VCS hosts share: the errors that
// callers handle, what these errors mean for people, what hosts state about
// repositories and accounts, and how a request is sent. It links no host's library.
// Package hostclient opens the clients. Packages githubhost and gitlabhost are the
// clients.
//
// A new call to a host needs one method of githubhost.Installation, one method of
// gitlabhost.Installation with the same signature, one implementation in the
// stand-ins of infra/test/vcstest, and one method of an interface that the caller
// defines.
//
// # Calls whose response is lost
//
// A request can take effect although its response never arrives. Transport repeats
// reads only. All other requests are sent once. The caller decides what to do next
// by the kind of the call:
//
//	kind of call        repeat it?   how to find what the lost request did
//	read                yes          Transport repeats it by itself, at most twice
//	installation token  yes          an unused token ends after an hour
//	OAuth code          no           each code works once: the person logs in again
//	refresh of a grant  once         the host refuses a token that was used: the person logs in again
//	commit status       yes          the host keeps the last one of a commit and a name; GitLab refuses the second that is pending (400)
//	reaction            yes          GitHub has one of a kind for each account and subject; GitLab refuses the second (404)
//	branch, create      yes          the second is refused (422, 400): read the branch and compare its commit
//	branch, delete      yes          the second finds none: that is success
//	merge               yes          send the expected head with it; read the request first: merged is success
//	comment, create     no           list the newest comments of our account and look for the marker in the text
//	comment, change     yes          it names the comment's id and the whole text
//	comment, delete     yes          the second finds none: that is success
//	dispatch of a run   no           look for a run that began since the attempt was recorded; wait for its first call
//
// For a call that must not be repeated, the caller records the attempt, with the
// marker, before it sends the request. It records the outcome after the response.
// If code finds an attempt without an outcome, it first looks for the marker at the
// host.
//
// A marker is an HTML comment in the last line of the text of a comment. It holds
// the id of the record of the attempt: "<!-- opsplane ID -->".
//
// Some responses say that nothing was done: a limit, and the statuses 401, 403,
// 404, 405, 406, 409 and 422. Then no response was lost. A request without a response, or
// with a status of 500 or higher, may have taken effect.
package vcshost

import (
	"errors"
	"fmt"
	"time"
)

// The errors of the clients. Each may be wrapped, and one error may wrap several of
// them.
var (
	// ErrGone says that the host has no such thing, or does not show it to this
	// server.
	ErrGone = errors.New("the host has no such thing, or does not show it to this server")
	// ErrRefused says that the host does not accept the token.
	ErrRefused = errors.New("the host does not accept the token")
	// ErrForbidden says that the host accepts the token, but does not allow the
	// request. A Refusal says why, if the host does. The same request fails until
	// somebody changes something at the host.
	ErrForbidden = errors.New("the host does not allow the request")
	// ErrNoInstallation says that the host has no such installation of our App.
	// It says nothing about the repositories that the installation had.
	ErrNoInstallation = errors.New("the host has no such installation")
	// ErrUnreachable says that the installation itself could not be read, or that its
	// token could not be fetched. The request itself was not sent. The error says
	// nothing about the repositories that the installation has.
	ErrUnreachable = errors.New("the installation cannot be read at the host")
	// ErrNoAnswer says that the host gave no usable response about the person or
	// thing in question: the host is down or busy, it refuses this server, or a
	// proxy responded in its place. What the host stated before may be used for a
	// while.
	ErrNoAnswer = errors.New("the host gives no answer")
	// ErrNotConfigured says that the operator has not configured this server for
	// the host: it has no App there, or no key of the App.
	ErrNotConfigured = errors.New("this server is not configured for the host")
	// ErrNoToken says that no access token is stored for the GitLab group, or that
	// the stored one cannot be opened. Requests fail until somebody stores a token.
	ErrNoToken = errors.New("no access token is stored for the group")
)

// KeyError says that the private key of the GitHub App cannot be read. Requests
// fail until somebody stores another key.
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
	// RetryAfter is how long to wait: from one second to one day.
	RetryAfter time.Duration
}

// Limit returns a Limited. A wait below one second becomes one second. A wait above
// one day becomes one day.
func Limit(wait time.Duration) *Limited {
	return &Limited{RetryAfter: min(max(wait, time.Second), 24*time.Hour)}
}

// Error implements error.
func (l *Limited) Error() string {
	return fmt.Sprintf("the host accepts no more requests for %s", l.RetryAfter.Round(time.Second))
}

// ConcernsInstallation reports whether an error is about the whole installation, or
// about the whole host. Any other error may be about a single repository, and must
// not stop the work on the others.
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
