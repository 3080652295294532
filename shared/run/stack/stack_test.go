package stack_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/stack"
)

var net = run.Dirspace{Dir: "net", Workspace: "default"}

// one is a change set with one dirspace.
func one(layer int) changeset.Set {
	return changeset.Set{
		Base: "base", Head: "head", Merged: "merged",
		Stacks: []changeset.Stack{{Name: "a", Paths: [][]string{{"a"}}, Members: []changeset.Member{{Dirspace: net, Layer: layer}}}},
	}
}

// result returns a completed run of net.
func result(seq int64, of run.Type, bits run.Outcome, change ...func(*run.Run)) run.Run {
	r := run.Run{
		Spec: run.Spec{Type: of, Base: run.Ref{Commit: "base"}, Source: run.Ref{Commit: "head"}, Dirspaces: []run.Dirspace{net}},
		Seq:  seq, State: run.Completed, Result: &run.Result{Outcomes: []run.Outcome{bits}},
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func TestNewestResultThatCountsGivesTheStateOfADirspace(t *testing.T) {
	t.Parallel()
	const (
		failed    = run.HasResult
		succeeded = run.HasResult | run.Succeeded
		changes   = succeeded | run.PlanStored | run.HasChanges
	)
	on := func(base, commit string) func(*run.Run) {
		return func(r *run.Run) { r.Base.Commit, r.Source.Commit = base, commit }
	}
	for name, c := range map[string]struct {
		layer    int
		unlocked int64
		runs     []run.Run
		want     stack.State
	}{
		"no run":                                {1, 0, nil, stack.PlanPending},
		"plan failed":                           {1, 0, []run.Run{result(1, run.Plan, failed)}, stack.PlanFailed},
		"plan with changes":                     {1, 0, []run.Run{result(1, run.Plan, changes)}, stack.ApplyPending},
		"automatic plan with changes":           {1, 0, []run.Run{result(1, run.AutoPlan, changes)}, stack.ApplyPending},
		"plan with changes that was not stored": {1, 0, []run.Run{result(1, run.Plan, succeeded|run.HasChanges)}, stack.ApplySuccess},
		"plan without changes":                  {1, 0, []run.Run{result(1, run.Plan, succeeded|run.PlanStored)}, stack.ApplySuccess},
		"apply failed":                          {1, 0, []run.Run{result(1, run.Apply, failed)}, stack.ApplyFailed},
		"apply succeeded":                       {1, 0, []run.Run{result(1, run.Apply, succeeded)}, stack.ApplySuccess},
		"automatic apply succeeded":             {1, 0, []run.Run{result(1, run.AutoApply, succeeded)}, stack.ApplySuccess},
		"unsafe apply":                          {1, 0, []run.Run{result(1, run.UnsafeApply, succeeded)}, stack.PlanPending},
		"index":                                 {1, 0, []run.Run{result(1, run.Index, succeeded)}, stack.PlanPending},
		"not changed":                           {0, 0, []run.Run{result(1, run.Plan, failed)}, stack.NoChanges},
		"apply after plan":                      {1, 0, []run.Run{result(2, run.Apply, succeeded), result(1, run.Plan, changes)}, stack.ApplySuccess},
		"plan after apply":                      {1, 0, []run.Run{result(1, run.Apply, succeeded), result(2, run.Plan, changes)}, stack.ApplyPending},
		"newer run without a result of the dirspace": {1, 0, []run.Run{result(1, run.Plan, changes), result(2, run.Apply, 0)}, stack.ApplyPending},
		"newer run that has not ended": {1, 0, []run.Run{result(1, run.Plan, changes), result(2, run.Apply, 0, func(r *run.Run) {
			r.State, r.Result = run.Running, nil
		})}, stack.ApplyPending},
		"plan of another commit":       {1, 0, []run.Run{result(1, run.Plan, changes, on("base", "older"))}, stack.PlanPending},
		"plan against another base":    {1, 0, []run.Run{result(1, run.Plan, changes, on("older", "head"))}, stack.PlanPending},
		"apply of the merged commit":   {1, 0, []run.Run{result(1, run.Plan, changes), result(2, run.Apply, succeeded, on("base", "merged"))}, stack.ApplySuccess},
		"plan before the last unlock":  {1, 1, []run.Run{result(1, run.Plan, changes)}, stack.PlanPending},
		"plan after the last unlock":   {1, 1, []run.Run{result(2, run.Plan, changes)}, stack.ApplyPending},
		"run of another dirspace only": {1, 0, []run.Run{result(1, run.Plan, failed, func(r *run.Run) { r.Dirspaces = []run.Dirspace{{Dir: "x", Workspace: "default"}} })}, stack.PlanPending},
	} {
		got := stack.Derive(one(c.layer), c.runs, c.unlocked)
		if len(got) != 1 || got[0].State != c.want || got[0].Inner[0].State != c.want || !slices.Equal(got[0].Inner[0].States, []stack.State{c.want}) {
			t.Errorf("%s: got %+v, want %s", name, got, c.want)
		}
	}
}

// TestStackHasTheStateThatNeedsMostAttention gives each dirspace one of all states.
func TestStackHasTheStateThatNeedsMostAttention(t *testing.T) {
	t.Parallel()
	order := []stack.State{stack.PlanFailed, stack.PlanPending, stack.ApplyFailed, stack.ApplyPending, stack.ApplySuccess, stack.NoChanges}
	bits := map[stack.State]run.Outcome{
		stack.PlanFailed: run.HasResult, stack.ApplyFailed: run.HasResult, stack.ApplySuccess: run.HasResult | run.Succeeded,
		stack.ApplyPending: run.HasResult | run.Succeeded | run.PlanStored | run.HasChanges,
	}
	rapid.Check(t, func(t *rapid.T) {
		var set changeset.Set
		var runs []run.Run
		best := map[string]int{"outer": len(order) - 1}
		for _, name := range []string{"a", "b"} {
			s := changeset.Stack{Name: name, Paths: [][]string{{"outer", name}}}
			best[name] = len(order) - 1
			for i, state := range rapid.SliceOfN(rapid.SampledFrom(order), 0, 4).Draw(t, name) {
				m := changeset.Member{Dirspace: run.Dirspace{Dir: fmt.Sprint(name, i), Workspace: "w"}, Layer: 1}
				if state == stack.NoChanges {
					m.Layer = 0
				}
				if b, ok := bits[state]; ok {
					of := run.Plan
					if state == stack.ApplyFailed {
						of = run.Apply
					}
					runs = append(runs, run.Run{Spec: run.Spec{Type: of, Dirspaces: []run.Dirspace{m.Dirspace}}, Seq: int64(len(runs) + 1), Result: &run.Result{Outcomes: []run.Outcome{b}}})
				}
				s.Members = append(s.Members, m)
				at := slices.Index(order, state)
				best[name], best["outer"] = min(best[name], at), min(best["outer"], at)
			}
			set.Stacks = append(set.Stacks, s)
		}
		got := stack.Derive(set, runs, 0)
		if len(got) != 1 || got[0].State != order[best["outer"]] || got[0].Inner[0].State != order[best["a"]] || got[0].Inner[1].State != order[best["b"]] {
			t.Fatalf("got %+v, want %v", got, best)
		}
	})
}

func TestStacksComeAfterThoseTheyDependOn(t *testing.T) {
	t.Parallel()
	leaf := func(name string, after []string, paths ...[]string) changeset.Stack {
		return changeset.Stack{Name: name, Paths: append(paths, []string{name})[:max(len(paths), 1)], PlanAfter: after}
	}
	names := func(outers []stack.Outer) (list []string) {
		for _, o := range outers {
			text := o.Name
			for _, i := range o.Inner {
				text += "/" + i.Name
			}
			list = append(list, text)
		}
		return list
	}
	for _, c := range []struct {
		stacks []changeset.Stack
		want   string
	}{
		{[]changeset.Stack{leaf("b", nil), leaf("a", nil)}, "[a/a b/b]"},
		{[]changeset.Stack{leaf("a", []string{"b"}), leaf("b", []string{"c"}), leaf("c", nil)}, "[c/c b/b a/a]"},
		{[]changeset.Stack{leaf("app", []string{"net"}, []string{"prod", "app"}), leaf("net", nil, []string{"prod", "net"})}, "[prod/net/app]"},
		{[]changeset.Stack{leaf("x", nil, []string{"one", "x"}, []string{"two", "deep", "x"}, []string{"two", "x"})}, "[one/x two/x]"},
		{[]changeset.Stack{leaf("a", []string{"b"}), leaf("b", []string{"a"}), leaf("c", nil)}, "[c/c a/a b/b]"},
		{[]changeset.Stack{leaf("a", []string{"a"})}, "[a/a]"},
		{[]changeset.Stack{{Name: "a", Paths: [][]string{{"a"}}, ApplyAfter: []string{"z"}}, leaf("z", nil)}, "[z/z a/a]"},
	} {
		if got := fmt.Sprint(names(stack.Derive(changeset.Set{Stacks: c.stacks}, nil, 0))); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
