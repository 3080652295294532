package runstore

import (
	"cmp"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/run"
)

// claimable reports whether a run waits for a dispatch: it is queued, and it was
// never claimed, or its claim has ended and the host did not accept the attempt.
func (a Active) claimable(now time.Time) bool {
	return a.State == run.Queued && (a.Attempt == 0 || !a.Dispatched && !a.Lease.After(now))
}

// candidates returns the runs that wait for a dispatch, in the order of the queue:
// applies, then plans, then the rest; within these, the oldest first (orchestration,
// 15.1).
func candidates(rows []Active, now time.Time) []Active {
	var list []Active
	for _, a := range rows {
		if a.claimable(now) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b Active) int { return cmp.Or(rank(a.Type)-rank(b.Type), cmp.Compare(a.Seq, b.Seq)) })
	return list
}

func rank(t run.Type) int {
	switch {
	case t.IsApply():
		return 0
	case t.IsPlan():
		return 1
	default:
		return 2
	}
}

// held are the dirspaces that applies keep others away from, each with the runs that
// hold it. It has one run for each dirspace, unless older data has more.
type held map[run.Dirspace][]run.ID

func (h held) add(of run.ID, list []run.Dirspace) {
	for _, d := range list {
		h[d] = append(h[d], of)
	}
}

// keepsAway reports whether another run holds one of the dirspaces.
func (h held) keepsAway(id run.ID, list []run.Dirspace) bool {
	return slices.ContainsFunc(list, func(d run.Dirspace) bool {
		return slices.ContainsFunc(h[d], func(holder run.ID) bool { return holder != id })
	})
}
