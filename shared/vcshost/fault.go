package vcshost

import (
	"errors"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/fault"
)

// Names are what people call the hosts, by VCS.
var Names = map[string]string{"github": "GitHub", "gitlab": "GitLab"}

// Lacking says, by VCS, what must be seen to at a host that forbids something.
var Lacking = map[string]string{
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
		return fmt.Errorf("%w: %w", fault.Busyf("HOST_LIMIT", "%s takes no more requests for %s: try again then",
			Names[vcs], limited.RetryAfter.Round(time.Second)).After(limited.RetryAfter), err)
	}
	if errors.Is(err, ErrRefused) {
		return fmt.Errorf("%w: %w", fault.Busyf("HOST_REFUSED", "%s does not take the token that this server has for it: "+
			"store another one for the group, or have the operator look at the GitHub App's key", Names[vcs]), err)
	}
	if errors.Is(err, ErrForbidden) || errors.Is(err, ErrNoInstallation) {
		return fmt.Errorf("%w: %w", fault.Invalidf("HOST_FORBIDDEN", "%s does not let this server do that: %s; see to it there, and ask again",
			Names[vcs], Lacking[vcs]), err)
	}
	return fmt.Errorf("%w: %w", fault.Busyf("HOST_UNAVAILABLE", "%s does not answer as it should: try again in a moment", Names[vcs]), err)
}
