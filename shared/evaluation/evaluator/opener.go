package evaluator

import (
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
)

// Opener returns the opener of clients of hosts.
func Opener(h *hostclient.Hosts) hostclient.Opener[Host] {
	return hostclient.For(h, func(i *githubhost.Installation) Host { return i }, func(i *gitlabhost.Installation) Host { return i })
}
