package main

import (
	"context"
	"errors"

	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/background/task/work"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// explain says to a task's owner why it stumbled, and whether trying again would
// be in vain.
func explain(run *task.Run, err error) (words string, forGood bool) {
	vcs := run.VCS
	host := vcshost.Names[vcs]
	var limited *vcshost.Limited
	var key *githubhost.KeyError
	switch {
	case errors.As(err, &limited):
		return host + " accepts no more requests for a while: the task continues after that", false
	case errors.Is(err, secret.ErrNotConfigured), errors.Is(err, githubhost.ErrNoApp):
		return "this server is not configured for " + host, true
	case errors.As(err, &key):
		return key.Error() + "; this is for the server's operator: start again then", true
	case errors.Is(err, vcshost.ErrElsewhere):
		return host + " sends this server on to another address than the one that is configured: the server's operator must look at it", true
	case errors.Is(err, vcshost.ErrEndless), errors.Is(err, vcshost.ErrCursor):
		return host + "'s list of repositories cannot be read to its end: its pages lead back, or do not end; " +
			"the server's operator must look at the host, or at what stands before it", true
	case errors.Is(err, grouptoken.ErrNone):
		return "no access token is stored for the group: store one, and start again", true
	case errors.Is(err, vcshost.ErrRefused) && vcs == "gitlab":
		return "GitLab does not take the group's access token: store another, and start again", true
	case errors.Is(err, vcshost.ErrRefused):
		return "GitHub does not take the App's credentials: the server's operator must look at its private key", false
	case errors.Is(err, vcshost.ErrForbidden):
		return host + " does not allow this server to do that: " + vcshost.Why(vcs, err) + "; correct it there, then start again" + own(host, err), true
	case errors.Is(err, work.ErrTired):
		return "the task was more than this server's workers can do at once, again and again: the server's operator must look at it", false
	case errors.Is(err, context.DeadlineExceeded):
		return "the host or this server takes too long", false
	case errors.Is(err, vcshost.ErrGone), errors.Is(err, vcshost.ErrNoInstallation):
		return host + " has no such installation, or this server cannot see it there", true
	}
	return "the host or this server had an error", false
}

// own is what the host itself says to a refusal.
func own(host string, err error) string {
	var refusal *vcshost.Refusal
	if !errors.As(err, &refusal) || refusal.Words == "" {
		return ""
	}
	return "; " + host + ` says: "` + refusal.Words + `"`
}
