// Package rules decides what may be planned and applied: which dirspaces a command is
// about, whether a plan still counts, who holds a lock, what an apply waits for. The
// package is pure: everything that it needs is a parameter.
//
// Its invariants:
//
//   - An apply uses only the newest plan, of the commits that the pull request has now,
//     and only if nobody else changed the dirspace since.
//   - What an unlock has made void counts nowhere.
//   - Each refusal names what stands in the way, and the way out.
package rules

import (
	"slices"

	"github.com/opsplane/opsplane/shared/run"
)

// State is the state of a pull request.
type State string

// The states of a pull request.
const (
	Open   State = "open"
	Closed State = "closed"
	Merged State = "merged"
)

// Subject is what runs belong to: a pull request, or the search for drift.
type Subject struct {
	Origin run.Origin
	// State is Open for drift.
	State State
	// Base and Head are its branches with the commits that the host names now. They are
	// equal for drift.
	Base, Head run.Ref
	// MergedAt is the place of its merge in the order of the repository; 0 if it is not
	// merged.
	MergedAt int64
	// Unlocked is the place of its last unlock: results up to it are void.
	Unlocked int64
}

// Repository is what the rules need to know of a repository.
type Repository struct {
	// Merges are the places of the merges of pull requests.
	Merges map[run.Origin]int64
	// NewestMerge is the commit of the newest merge. It is empty if there is none.
	NewestMerge string
}

// newest reports whether no other pull request was merged after this one.
func (in Repository) newest(s Subject) bool {
	for origin, at := range in.Merges {
		if origin != s.Origin && at > s.MergedAt {
			return false
		}
	}
	return true
}

// Result is what a run did to one dirspace.
type Result struct {
	Run run.ID
	// Order is the place of the run in the order of the repository. No two runs share
	// one.
	Order  int64
	Origin run.Origin
	// Apply is true for an apply, false for a plan.
	Apply bool
	// Base and Head are the commits for which the run was made.
	Base, Head string
	Success    bool
	// Merge says that this is no result of a run: it stands for the merge of a pull
	// request that concerned the dirspace.
	Merge bool
	// HasChanges says that a plan changes something. PlanKept says that its bytes are
	// still there.
	HasChanges, PlanKept bool
}

// History are the results of one dirspace, of all runs of the repository. Their order
// does not matter.
type History []Result

// current reports whether a run was made for the commits that its subject has now
// (orchestration, 12.1). On a merged pull request, runs work on the newest merge of the
// repository. What was planned before the merge counts until another one follows.
func (r Result) current(s Subject, in Repository) bool {
	switch {
	case r.Base != s.Base.Commit && s.Base != s.Head:
		return false
	case s.State != Merged:
		return r.Head == s.Head.Commit
	}
	return r.Head == in.NewestMerge || in.newest(s) && r.Head == s.Head.Commit
}

// own returns the newest result of a subject since its last unlock, or nil.
func (h History) own(s Subject) *Result {
	var found *Result
	for i := range h {
		if r := &h[i]; !r.Merge && r.Origin == s.Origin && r.Order > s.Unlocked && (found == nil || r.Order > found.Order) {
			found = r
		}
	}
	return found
}

// Validity says whether the plan of a dirspace may be applied.
type Validity string

// The validities. All but Valid are reasons why there is no plan to apply.
const (
	Valid Validity = "valid"
	// NoPlan means that the subject has no plan of its present commits.
	NoPlan Validity = "no plan"
	// Failed means that the newest plan or apply failed.
	Failed Validity = "failed"
	// Overtaken means that another pull request, or drift, applied or merged the
	// dirspace since.
	Overtaken Validity = "overtaken"
	// Used means that the plan was applied.
	Used Validity = "used"
	// Expired means that the bytes of the plan are gone.
	Expired Validity = "expired"
)

// Plan returns whether a subject has a plan of a dirspace that may be applied. The result
// is the one that decided. It is nil for NoPlan.
//
// A result of another subject counts if it changed something (an apply, successful or
// not), or if its pull request was merged: then as of the merge.
func (h History) Plan(s Subject, in Repository) (Validity, *Result) {
	var newest *Result
	var place int64
	for i := range h {
		r := &h[i]
		at := r.Order
		if r.Origin == s.Origin {
			if r.Order <= s.Unlocked || !r.current(s, in) {
				continue
			}
		} else {
			merged := in.Merges[r.Origin]
			if !r.Apply && merged == 0 {
				continue
			}
			at = max(at, merged)
		}
		if newest == nil || at > place || at == place && r.Order > newest.Order {
			newest, place = r, at
		}
	}
	switch {
	case newest == nil:
		return NoPlan, nil
	case newest.Origin != s.Origin:
		return Overtaken, newest
	case !newest.Success:
		return Failed, newest
	case newest.Apply:
		return Used, newest
	case !newest.PlanKept:
		return Expired, newest
	}
	return Valid, newest
}

// Applied reports whether nothing of a dirspace waits for an apply: the newest result of
// the subject is of its present commits, and it is a successful apply or a plan without
// changes (orchestration, 12.2).
func (h History) Applied(s Subject, in Repository) bool {
	newest := h.own(s)
	return newest != nil && newest.current(s, in) && newest.Success && (newest.Apply || !newest.HasChanges)
}

// Histories are the histories of the dirspaces of a repository.
type Histories map[run.Dirspace]History

// AppliedBefore returns the dirspaces of which a subject has an apply since its last
// unlock, in order.
func (h Histories) AppliedBefore(s Subject) []run.Dirspace {
	var made []run.Dirspace
	for d, history := range h {
		if history.applies(s) {
			made = append(made, d)
		}
	}
	return run.SortDirspaces(made)
}

// applies reports whether a subject has an apply since its last unlock, successful or
// not.
func (h History) applies(s Subject) bool {
	return slices.ContainsFunc(h, func(r Result) bool { return r.Origin == s.Origin && r.Apply && r.Order > s.Unlocked })
}
