package source

import (
	"context"
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Pulls reads pull requests from a host. evaluator.Reader documents the method.
type Pulls interface {
	PullRequest(ctx context.Context, r vcs.Description, number int64) (vcshost.PullRequest, error)
}

// pauses are those between the reads of a pull request of which the host does not know yet
// whether it could be merged. GitHub finds that out after the first read of a new commit.
var pauses = []time.Duration{500 * time.Millisecond, time.Second, time.Second, 2 * time.Second, 3 * time.Second}

// Settled returns a pull request when the host knows whether it could be merged. It asks up
// to six times in about eight seconds (orchestration, 6). After that, the mergeability is
// still vcshost.MergeUnknown.
func Settled(ctx context.Context, host Pulls, r vcs.Description, number int64) (vcshost.PullRequest, error) {
	for n := 0; ; n++ {
		p, err := host.PullRequest(ctx, r, number)
		if err != nil || !p.Open || p.Merge != vcshost.MergeUnknown || n == len(pauses) {
			return p, err
		}
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-time.After(pauses[n]):
		}
	}
}
