package vcshost

import (
	"errors"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// Names are what people call the hosts, by VCS.
var Names = map[string]string{"github": "GitHub", "gitlab": "GitLab"}

// Why says to people why a host forbids something, and so what must be seen to
// there. It has no word of the host's.
func Why(vcs string, err error) string {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		switch refusal.Reason {
		case ByAddress:
			return "it refuses the network address that this server's requests come from: have the organisation's owner, " +
				"or the host's administrator, allow the address"
		case BySAML:
			return "the organisation asks for SAML single sign-on: sign in there with it, and authorize this application for the organisation"
		}
	}
	return lacking[vcs]
}

// lacking is what is mostly the reason, where the host does not say it.
var lacking = map[string]string{
	"github": "the installation of its GitHub App is suspended or gone, or has not accepted a permission that the App asks for",
	"gitlab": "the token that it has for the group lacks a scope, or its account a role",
}

// Fault makes of a host's error one that a caller may see, and keeps the cause
// for the log: a Busy fault, as the host may answer in a while, but an Invalid one
// where somebody must do something at the host first. Callers look for ErrGone,
// ErrRefused and ErrForbidden first, if they mean something to them.
func Fault(vcs string, err error) error {
	var limited *Limited
	if errors.As(err, &limited) {
		return fmt.Errorf("%w: %w", fault.Busyf("HOST_LIMIT", "%s accepts no more requests for %s: try again after that",
			Names[vcs], limited.RetryAfter.Round(time.Second)).After(limited.RetryAfter), err)
	}
	if errors.Is(err, ErrRefused) {
		return fmt.Errorf("%w: %w", fault.Busyf("HOST_REFUSED", "%s does not accept the token that this server has for it: "+
			"store another one for the group, or have the operator look at the GitHub App's key", Names[vcs]), err)
	}
	if errors.Is(err, ErrForbidden) || errors.Is(err, ErrNoInstallation) {
		forbidden := fault.Invalidf("HOST_FORBIDDEN", "%s does not allow this server to do that: %s; correct it there, then try again", Names[vcs], Why(vcs, err))
		forbidden.LogCause = true // the host's own words are for the operator
		return fmt.Errorf("%w: %w", forbidden, err)
	}
	return fmt.Errorf("%w: %w", fault.Busyf("HOST_UNAVAILABLE", "%s does not respond as expected: try again in a moment", Names[vcs]), err)
}
