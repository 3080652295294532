package source_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// TestMergeabilityIsAskedForUpToSixTimes has the rule of orchestration, 6.
func TestMergeabilityIsAskedForUpToSixTimes(t *testing.T) {
	t.Parallel()
	unknown := vcshost.PullRequest{Open: true}
	after := func(n int, last vcshost.PullRequest) (list []vcshost.PullRequest) {
		for range n {
			list = append(list, unknown)
		}
		return append(list, last)
	}
	for name, c := range map[string]struct {
		pulls []vcshost.PullRequest
		calls int
		want  vcshost.Mergeability
	}{
		"known at once":         {after(0, vcshost.PullRequest{Open: true, Merge: vcshost.MergePossible}), 1, vcshost.MergePossible},
		"conflict at once":      {after(0, vcshost.PullRequest{Open: true, Merge: vcshost.MergeConflict}), 1, vcshost.MergeConflict},
		"known the second time": {after(1, vcshost.PullRequest{Open: true, Merge: vcshost.MergeConflict}), 2, vcshost.MergeConflict},
		"known the last time":   {after(5, vcshost.PullRequest{Open: true, Merge: vcshost.MergePossible}), 6, vcshost.MergePossible},
		"known too late":        {after(6, vcshost.PullRequest{Open: true, Merge: vcshost.MergePossible}), 6, vcshost.MergeUnknown},
		"closed":                {after(0, vcshost.PullRequest{}), 1, vcshost.MergeUnknown},
		"merged meanwhile":      {after(2, vcshost.PullRequest{Merged: true}), 3, vcshost.MergeUnknown},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, began := &host{pulls: c.pulls}, time.Now()
			p, err := source.Settled(t.Context(), h, place.Described, 17)
			if err != nil || p.Merge != c.want || h.calls["PullRequest"] != c.calls {
				t.Errorf("%s: %v after %d calls, %v; want %v after %d", name, p.Merge, h.calls["PullRequest"], err, c.want, c.calls)
			}
			if took := time.Since(began); took > 8*time.Second || c.calls == 1 && took > 0 {
				t.Errorf("%s: it took %s", name, took)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := source.Settled(ctx, &host{pulls: after(0, unknown)}, place.Described, 17); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("out of time: %v", err)
		}
		down := fmt.Errorf("down")
		if _, err := source.Settled(t.Context(), &host{fails: map[string]error{"PullRequest": down}}, place.Described, 17); !errors.Is(err, down) {
			t.Errorf("down: %v", err)
		}
	})
}
