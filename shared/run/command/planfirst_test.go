package command_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
	"github.com/opsplane/opsplane/shared/vcs"
)

var born = time.Unix(4_000_000_000, 0).UTC()

// past is a history in memory.
type past struct {
	plans   []run.Run
	void    int64
	applies []command.Applying
	// recorded are the Seqs of the newest applies.
	recorded map[run.Dirspace]int64
	gone     map[run.ID]bool // plans that are not stored any more
}

func (p past) Plans(context.Context, run.Spec) iter.Seq2[run.Run, error] {
	list := slices.Clone(p.plans)
	slices.SortStableFunc(list, func(a, b run.Run) int { return int(b.CreatedAt.Unix() - a.CreatedAt.Unix()) })
	return func(yield func(run.Run, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (p past) Dirspaces(_ context.Context, r run.Run) ([]run.Dirspace, error) {
	return r.Dirspaces, nil
}
func (p past) Void(context.Context, run.Spec) (int64, error) { return p.void, nil }

func (p past) Recorded(context.Context, vcs.Repository, []run.Dirspace) (map[run.Dirspace]int64, error) {
	found := map[run.Dirspace]int64{}
	maps.Copy(found, p.recorded)
	return found, nil
}

func (p past) Applies(context.Context, vcs.Repository) ([]command.Applying, error) {
	return p.applies, nil
}

func (p past) Stored(_ context.Context, plan run.ID, _ time.Time) (map[run.Dirspace]string, error) {
	stored := map[run.Dirspace]string{}
	for _, r := range p.plans {
		if r.ID == plan && !p.gone[plan] {
			for _, d := range r.Dirspaces {
				stored[d] = "digest of " + d.Dir + " by " + string(plan)
			}
		}
	}
	return stored, nil
}

func dirs(names ...string) []run.Dirspace {
	list := make([]run.Dirspace, len(names))
	for i, name := range names {
		list[i] = run.Dirspace{Dir: name, Workspace: "default"}
	}
	return list
}

// apply is an apply of pull request 17 at the commit bb.
func apply(names ...string) run.Spec {
	return run.Spec{
		ID: run.NewID(), Repository: vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7"), Type: run.Apply, Kind: run.Kind{Name: run.PullRequest, Number: 17},
		Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"}, Dirspaces: dirs(names...),
	}
}

// plan is a completed plan for apply.
func plan(seq int64, outcome run.Outcome, names ...string) run.Run {
	r := run.Run{Spec: apply(names...), Seq: seq, State: run.Completed, CreatedAt: born.Add(time.Duration(seq) * time.Minute), Result: &run.Result{}}
	r.Type = run.Plan
	for range names {
		r.Result.Outcomes = append(r.Result.Outcomes, outcome)
	}
	return r
}

const good = run.HasResult | run.Succeeded | run.PlanStored

func TestApplyNeedsTheNewestPlanOfEachDirspace(t *testing.T) {
	t.Parallel()
	changed := func(r run.Run, change func(*run.Run)) run.Run {
		change(&r)
		return r
	}
	used := plan(1, good, "a", "b")
	for name, c := range map[string]struct {
		past past
		id   string
	}{
		"one plan":                       {past{plans: []run.Run{plan(1, good, "a", "b")}}, ""},
		"a plan of each":                 {past{plans: []run.Run{plan(1, good, "a"), plan(2, good, "b", "c")}}, ""},
		"no plan":                        {past{}, "PLAN_NEEDED"},
		"a plan of one":                  {past{plans: []run.Run{plan(1, good, "a")}}, "PLAN_NEEDED"},
		"failed":                         {past{plans: []run.Run{plan(1, run.HasResult, "a", "b")}}, "PLAN_FAILED"},
		"no result":                      {past{plans: []run.Run{plan(1, 0, "a", "b")}}, "PLAN_FAILED"},
		"failed after a success":         {past{plans: []run.Run{plan(1, good, "a", "b"), plan(2, run.HasResult, "b")}}, "PLAN_FAILED"},
		"success after a failure":        {past{plans: []run.Run{plan(1, run.HasResult, "a", "b"), plan(2, good, "a", "b")}}, ""},
		"aborted after a success":        {past{plans: []run.Run{plan(1, good, "a", "b"), changed(plan(2, good, "a", "b"), func(r *run.Run) { r.State, r.Result = run.Aborted, nil })}}, ""},
		"of another commit":              {past{plans: []run.Run{changed(plan(1, good, "a", "b"), func(r *run.Run) { r.Source.Commit = "cc" })}}, "PLAN_NEEDED"},
		"for another destination branch": {past{plans: []run.Run{changed(plan(1, good, "a", "b"), func(r *run.Run) { r.Base.Branch = "release" })}}, "PLAN_NEEDED"},
		"void":                           {past{plans: []run.Run{plan(1, good, "a", "b")}, void: 1}, "PLAN_NEEDED"},
		"after the unlock":               {past{plans: []run.Run{plan(2, good, "a", "b")}, void: 1}, ""},
		"used":                           {past{plans: []run.Run{used}, gone: map[run.ID]bool{used.ID: true}}, "PLAN_GONE"},
		"an apply of one is under way":   {past{plans: []run.Run{plan(1, good, "a", "b")}, applies: []command.Applying{{ID: "x", Origin: "17", Dirspaces: dirs("b")}}}, "APPLY_UNDER_WAY"},
		"an apply came after the plan":   {past{plans: []run.Run{plan(1, good, "a", "b")}, recorded: map[run.Dirspace]int64{dirs("b")[0]: 2}}, "PLAN_GONE"},
		"an apply came before the plan":  {past{plans: []run.Run{plan(3, good, "a", "b")}, recorded: map[run.Dirspace]int64{dirs("b")[0]: 2}}, ""},
		"an apply has just ended":        {past{plans: []run.Run{plan(1, good, "a", "b")}, applies: []command.Applying{{ID: "x", Seq: 2, Origin: "18", Ended: true, Dirspaces: dirs("b")}}}, "PLAN_GONE"},
		"an apply of another is":         {past{plans: []run.Run{plan(1, good, "a", "b")}, applies: []command.Applying{{ID: "x", Origin: "17", Dirspaces: dirs("c")}}}, ""},
		"one of another pull request is": {past{plans: []run.Run{plan(1, good, "a", "b")}, applies: []command.Applying{{ID: "x", Origin: "18", Dirspaces: dirs("b")}}}, ""},
	} {
		uses, err := command.PlanFirst{History: c.past}.Admit(t.Context(), apply("a", "b"), born)
		var f *fault.Error
		switch {
		case c.id == "" && (err != nil || len(uses) != 2):
			t.Errorf("%s: %+v, %v", name, uses, err)
		case c.id != "" && (!errors.As(err, &f) || f.ID != c.id || uses != nil):
			t.Errorf("%s: %+v, %v; want %s", name, uses, err, c.id)
		}
	}
	if uses, err := (command.PlanFirst{History: past{}}).Admit(t.Context(), plan(1, 0, "a").Spec, born); err != nil || uses != nil {
		t.Errorf("a plan: %+v, %v", uses, err)
	}
}

// TestNewestPlanDecidesWhateverTheClocksSay compares with a naive search. The seconds of runs
// differ from their order by less than the clocks may.
func TestNewestPlanDecidesWhateverTheClocksSay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := past{}
		for seq := range rapid.Int64Range(0, 12).Draw(t, "plans") {
			var names []string
			for _, name := range []string{"a", "b", "c"} {
				if rapid.Bool().Draw(t, name) {
					names = append(names, name)
				}
			}
			if names == nil {
				continue
			}
			r := plan(seq+1, rapid.SampledFrom([]run.Outcome{good, run.HasResult}).Draw(t, "outcome"), names...)
			r.CreatedAt = born.Add(time.Duration(seq*3+rapid.Int64Range(0, 4).Draw(t, "clock")) * time.Second)
			p.plans = append(p.plans, r)
		}
		want, missing := map[run.Dirspace]run.ID{}, ""
		for _, d := range dirs("a", "b") {
			var newest *run.Run
			for i, r := range p.plans {
				if slices.Contains(r.Dirspaces, d) && (newest == nil || newest.Seq < r.Seq) {
					newest = &p.plans[i]
				}
			}
			switch {
			case newest == nil:
				missing = "PLAN_NEEDED"
			case !newest.Result.Outcomes[0].Has(run.Succeeded):
				if missing == "" {
					missing = "PLAN_FAILED"
				}
			default:
				want[d] = newest.ID
			}
		}
		uses, err := command.PlanFirst{History: p}.Admit(context.Background(), apply("a", "b"), born)
		var f *fault.Error
		if missing != "" {
			if !errors.As(err, &f) || f.ID != missing {
				t.Fatalf("got %+v, %v; want %s", uses, err, missing)
			}
			return
		}
		for _, u := range uses {
			if want[u.Dirspace] != u.Plan {
				t.Fatalf("%s uses the plan of %s, want %s", u.Dirspace, u.Plan, want[u.Dirspace])
			}
		}
		if err != nil || len(uses) != 2 {
			t.Fatalf("got %+v, %v", uses, err)
		}
	})
}
