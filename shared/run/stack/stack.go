// Package stack derives the states of the stacks of a pull request from its change set
// and its runs. The package is pure.
package stack

import (
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
)

// State is how far a dirspace or a stack is.
type State string

// The states, the one that needs most attention first. The contract has one more,
// apply_ready, which no server ever sends.
const (
	PlanFailed   State = "plan_failed"
	PlanPending  State = "plan_pending"
	ApplyFailed  State = "apply_failed"
	ApplyPending State = "apply_pending"
	ApplySuccess State = "apply_success"
	NoChanges    State = "no_changes"
)

var order = []State{PlanFailed, PlanPending, ApplyFailed, ApplyPending, ApplySuccess, NoChanges}

// Outer is an outermost stack with the stacks inside it that have dirspaces.
type Outer struct {
	Name  string
	State State
	Inner []*Inner
}

// Inner is a stack that has dirspaces. A stack that several outermost stacks hold is
// the same Inner in each of them.
type Inner struct {
	// Stack is the stack as the change set has it.
	changeset.Stack
	State State
	// States has one state for each member of the stack, in the same order.
	States []State
}

// Derive returns the outermost stacks in the order of their execution: a stack comes
// after the stacks that it is planned or applied after. runs are the pull request's
// runs, in any order. unlocked is the Seq up to which an unlock has made runs void.
func Derive(set changeset.Set, runs []run.Run, unlocked int64) []Outer {
	newest := newestOf(set, runs, unlocked)
	var outers []Outer
	for _, s := range ordered(set.Stacks) {
		inner := &Inner{Stack: s, State: NoChanges, States: make([]State, len(s.Members))}
		for i, m := range s.Members {
			inner.States[i] = stateOf(m, newest)
			inner.State = first(inner.State, inner.States[i])
		}
		var in []string // the outermost stacks that have it already
		for _, path := range s.Paths {
			if slices.Contains(in, path[0]) {
				continue
			}
			in = append(in, path[0])
			n := slices.IndexFunc(outers, func(o Outer) bool { return o.Name == path[0] })
			if n < 0 {
				n, outers = len(outers), append(outers, Outer{Name: path[0], State: NoChanges})
			}
			outers[n].Inner = append(outers[n].Inner, inner)
			outers[n].State = first(outers[n].State, inner.State)
		}
	}
	return outers
}

// first returns the one of two states that needs more attention.
func first(a, b State) State { return order[min(slices.Index(order, a), slices.Index(order, b))] }

// result is what a run has found out about a dirspace.
type result struct {
	seq     int64
	of      run.Type
	outcome run.Outcome
}

// newestOf returns the newest result of each dirspace that counts: that of a completed
// run on the commits of the set that no unlock has made void.
func newestOf(set changeset.Set, runs []run.Run, unlocked int64) map[run.Dirspace]result {
	newest := map[run.Dirspace]result{}
	for _, r := range runs {
		if r.Result == nil || r.Seq <= unlocked || r.Base.Commit != set.Base || !slices.Contains(set.Commits(), r.Source.Commit) {
			continue
		}
		for i, d := range r.Dirspaces[:min(len(r.Dirspaces), len(r.Result.Outcomes))] {
			if o := r.Result.Outcomes[i]; o.Has(run.HasResult) && r.Seq > newest[d].seq {
				newest[d] = result{r.Seq, r.Type, o}
			}
		}
	}
	return newest
}

func stateOf(m changeset.Member, newest map[run.Dirspace]result) State {
	found, ok := newest[m.Dirspace]
	switch {
	case !m.Changed():
		return NoChanges
	case !ok:
		return PlanPending
	}
	switch found.of {
	case run.Plan, run.AutoPlan:
		switch {
		case !found.outcome.Has(run.Succeeded):
			return PlanFailed
		case found.outcome.Has(run.PlanStored | run.HasChanges):
			return ApplyPending
		default:
			return ApplySuccess
		}
	case run.Apply, run.AutoApply:
		if found.outcome.Has(run.Succeeded) {
			return ApplySuccess
		}
		return ApplyFailed
	default:
		return PlanPending
	}
}

// ordered returns stacks so that each comes after those that it is planned or applied
// after, and by name otherwise. The rules of a configuration have no cycle. Where they
// have one all the same, the stacks on it come last.
func ordered(stacks []changeset.Stack) []changeset.Stack {
	rest := slices.SortedFunc(slices.Values(stacks), func(a, b changeset.Stack) int { return strings.Compare(a.Name, b.Name) })
	waiting := map[string]struct{}{}
	for _, s := range rest {
		waiting[s.Name] = struct{}{}
	}
	waits := func(s changeset.Stack) bool {
		among := func(name string) bool {
			_, found := waiting[name]
			return found && name != s.Name
		}
		return slices.ContainsFunc(s.PlanAfter, among) || slices.ContainsFunc(s.ApplyAfter, among)
	}
	var list []changeset.Stack
	for len(rest) > 0 {
		n := max(slices.IndexFunc(rest, func(s changeset.Stack) bool { return !waits(s) }), 0)
		list = append(list, rest[n])
		delete(waiting, rest[n].Name)
		rest = slices.Delete(rest, n, n+1)
	}
	return list
}
