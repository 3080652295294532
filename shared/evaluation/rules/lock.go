package rules

import (
	"slices"

	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
)

// Holding is a dirspace that a pull request would lock.
type Holding struct {
	run.Dirspace
	Policy repoconfig.LockPolicy
	// DestBranchOnly keeps only those pull requests away that have the same destination
	// branch.
	DestBranchOnly bool
}

// Owner is a pull request that may hold locks, with its complete set: its present change
// set, and what it applied at earlier commits.
type Owner struct {
	Subject Subject
	Set     []Holding
}

// LockReason says why a pull request holds its locks.
type LockReason string

// The reasons.
const (
	// LockedByApply means that it applied something and is not merged.
	LockedByApply LockReason = "apply"
	// LockedByMerge means that it is merged, and something is not applied.
	LockedByMerge LockReason = "merge"
)

// Locks returns why a pull request holds its complete set, or the empty text if it holds
// nothing (orchestration, 13). Locking is all or nothing.
func (o Owner) Locks(h Histories) LockReason {
	s := o.Subject
	if s.State != Merged {
		if slices.ContainsFunc(o.Set, func(d Holding) bool { return d.Policy.OnApply() && h[d.Dirspace].applies(s) }) {
			return LockedByApply
		}
		return ""
	}
	if s.Unlocked >= s.MergedAt {
		return ""
	}
	waits := func(d Holding) bool {
		newest := h[d.Dirspace].own(s)
		return newest == nil || !newest.Success || !newest.Apply && newest.HasChanges
	}
	if slices.ContainsFunc(o.Set, func(d Holding) bool { return d.Policy.OnMerge() && waits(d) }) {
		return LockedByMerge
	}
	return ""
}

// Lock is a dirspace that another pull request holds.
type Lock struct {
	run.Dirspace
	Holder run.Origin
	Reason LockReason
}

// Locked returns the locks of others on dirspaces that a pull request wants to apply, in
// the order of the dirspaces. If several hold a dirspace, the first of others is named.
func Locked(wanted []run.Dirspace, s Subject, others []Owner, h Histories) []Lock {
	held := map[run.Dirspace]Lock{}
	for _, o := range others {
		if o.Subject.Origin == s.Origin {
			continue
		}
		reason := o.Locks(h)
		if reason == "" {
			continue
		}
		for _, d := range o.Set {
			if d.DestBranchOnly && o.Subject.Base.Branch != s.Base.Branch {
				continue
			}
			if _, twice := held[d.Dirspace]; !twice {
				held[d.Dirspace] = Lock{d.Dirspace, o.Subject.Origin, reason}
			}
		}
	}
	var found []Lock
	for _, d := range wanted {
		if lock, is := held[d]; is {
			found = append(found, lock)
		}
	}
	slices.SortFunc(found, func(a, b Lock) int { return a.Compare(b.Dirspace) })
	return found
}
