package rules

import (
	"slices"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/tagquery"
)

// Standing is the change set of a pull request, and how far it is applied.
type Standing struct {
	// Unapplied are the members that are not applied, layer by layer. Layers in which
	// all is applied are left out.
	Unapplied [][]*matching.Member
}

// Stand returns the standing of a change set.
func Stand(set *matching.ChangeSet, s Subject, h Histories, in Repository) Standing {
	layers := make([][]*matching.Member, set.Layers)
	for _, m := range set.Members {
		if !h[m.Dirspace.Dirspace].Applied(s, in) {
			layers[m.Layer] = append(layers[m.Layer], m)
		}
	}
	return Standing{slices.DeleteFunc(layers, func(l []*matching.Member) bool { return len(l) == 0 })}
}

// Done reports whether nothing of the change waits for an apply.
func (s Standing) Done() bool { return len(s.Unapplied) == 0 }

// layer returns the layer that is worked on now: the first that is not applied.
func (s Standing) layer() []*matching.Member {
	if s.Done() {
		return nil
	}
	return s.Unapplied[0]
}

// Plan returns the members that a command to plan is about.
func (s Standing) Plan(q tagquery.Expr) []*matching.Member { return matching.Select(s.layer(), q) }

// Autoplan returns the members that are planned by themselves: those that allow it, in a
// draft too if it is one, and that have no valid plan.
func (s Standing) Autoplan(draft bool, of Subject, h Histories, in Repository) []*matching.Member {
	var made []*matching.Member
	for _, m := range s.layer() {
		validity, _ := h[m.Dirspace.Dirspace].Plan(of, in)
		if m.Autoplan && (!draft || m.AutoplanDraft) && validity != Valid {
			made = append(made, m)
		}
	}
	return made
}

// Apply returns the members that a command to apply is about. Members whose stack comes
// after one that still has something to apply are left out.
func (s Standing) Apply(q tagquery.Expr, of *matching.Repository) []*matching.Member {
	return slices.DeleteFunc(matching.Select(s.layer(), q), func(m *matching.Member) bool { return s.waitsForStack(m, of) })
}

// Autoapply returns the members that are applied by themselves: those with autoapply after
// the merge, and those of a stack with auto_apply.
func (s Standing) Autoapply(of *matching.Repository, merged bool) []*matching.Member {
	return slices.DeleteFunc(s.Apply(nil, of), func(m *matching.Member) bool { return !(merged && m.Autoapply) && !of.AutoApply(m.Dirspace) })
}

// waitsForStack reports whether a stack that is applied before the member's has something
// to apply.
func (s Standing) waitsForStack(m *matching.Member, of *matching.Repository) bool {
	for _, name := range of.ApplyAfter(m.Dirspace) {
		if m.InStack(name) {
			continue
		}
		for _, layer := range s.Unapplied {
			if slices.ContainsFunc(layer, func(other *matching.Member) bool { return other.InStack(name) }) {
				return true
			}
		}
	}
	return false
}

// Dirspaces returns the dirspaces of members.
func Dirspaces(list []*matching.Member) []run.Dirspace {
	made := make([]run.Dirspace, len(list))
	for i, m := range list {
		made[i] = m.Dirspace.Dirspace
	}
	return made
}

// Next says what follows when a run of a pull request or for drift has ended
// (orchestration, 16).
type Next string

// The next steps.
const (
	// Finished means that everything is applied.
	Finished Next = "finished"
	// PlanNext means that the layer of the run is done and the next one is planned.
	PlanNext Next = "plan"
	// ApplyNext means that what was planned is applied by itself.
	ApplyNext Next = "apply"
	// Wait means that somebody has to act.
	Wait Next = "wait"
)

// After returns what follows a run of dirspaces. It never returns to dirspaces that were
// just worked on, except from a plan to its apply.
func (s Standing) After(ran []run.Dirspace, plan bool, of *matching.Repository) Next {
	if s.Done() {
		return Finished
	}
	layer := s.layer()
	if len(intersect(ran, Dirspaces(layer))) == 0 {
		return PlanNext
	}
	if plan && slices.ContainsFunc(layer, func(m *matching.Member) bool { return of.AutoApply(m.Dirspace) }) {
		return ApplyNext
	}
	return Wait
}
