package vcshost

import (
	"errors"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/fault"
)

// Names are what people call the hosts, by VCS.
var Names = map[string]string{"github": "GitHub", "gitlab": "GitLab"}

// Fault makes of a host's error one that a caller may see, and keeps the cause
// for the log: a Busy fault, as the host may answer in a while. Callers look for
// ErrGone and ErrRefused first, if they mean something to them.
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
	return fmt.Errorf("%w: %w", fault.Busyf("HOST_UNAVAILABLE", "%s does not answer as it should: try again in a moment", Names[vcs]), err)
}
