package simulation

import (
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/run"
)

// planOf returns a plan of net with changes that is over.
func planOf(id run.ID, seq, pull int64, head string) *entry {
	return &entry{
		id: id, seq: seq, pull: pull, base: "b", head: head, dirs: workspaces("net"), state: run.Completed, began: true,
		outcomes: []run.Outcome{run.HasResult | run.Succeeded | run.PlanStored | run.HasChanges}, created: int(seq), over: int(seq), within: int(seq),
	}
}

// applyOf returns an apply of net that is over.
func applyOf(id run.ID, seq, pull int64, head string, plan run.ID) *entry {
	e := planOf(id, seq, pull, head)
	e.apply, e.outcomes, e.uses = true, []run.Outcome{run.HasResult | run.Succeeded}, map[run.Dirspace]run.ID{workspaces("net")[0]: plan}
	return e
}

// TestOracleCatchesWhatMustNotBe gives the oracle histories of evaluators that are broken.
func TestOracleCatchesWhatMustNotBe(t *testing.T) {
	t.Parallel()
	const plan1, plan2, other = "plan1-00", "plan2-00", "other-00"
	for _, c := range []struct {
		name    string
		history func(*book)
		want    string // empty: nothing is wrong
	}{
		{"a plan of the same commits", func(*book) {}, ""},
		{"no plan", func(b *book) { delete(b.byID, plan1) }, "no plan"},
		{"apply after a push", func(b *book) { b.byID[plan1].head = "before" }, "other commits"},
		{"a failed plan", func(b *book) { b.byID[plan1].outcomes[0] = run.HasResult }, "did not succeed"},
		{"the plan of another pull request", func(b *book) { b.byID[plan1].pull = 2 }, "not a plan of it"},
		{"a plan that was used", func(b *book) { b.add(applyOf(other, 20, 1, "h", plan1)) }, "came after the plan"},
		{"a plan that an apply of others has overtaken", func(b *book) { b.add(applyOf(other, 20, 2, "h2", plan2)) }, "came after the plan"},
		{"an apply of others before the plan that holds the lock", func(b *book) { b.add(applyOf(other, 5, 2, "h2", plan2)) }, "locked by #2"},
		{"the same lock, unlocked", func(b *book) {
			b.add(applyOf(other, 5, 2, "h2", plan2))
			b.unlocks[2] = []unlock{{seq: 6, tick: 6}}
		}, ""},
		{"a plan that a merge has overtaken", func(b *book) {
			b.add(planOf(plan2, 5, 2, "h2"))
			b.merges[2] = &merge{seq: 20, head: "h2", settled: 20}
		}, "merged after the plan"},
		{"a merge without an apply that holds the lock", func(b *book) {
			b.add(planOf(plan2, 5, 2, "h2"))
			b.merges[2] = &merge{seq: 6, head: "h2", settled: 6}
		}, "locked by #2"},
		{"a plan that an unlock made void", func(b *book) { b.unlocks[1] = []unlock{{seq: 20, tick: 20}} }, "void"},
		{"an older plan in place of the newest", func(b *book) { b.add(planOf(plan2, 20, 1, "h")) }, "is newer"},
		{"a run that is under way", func(b *book) {
			e := planOf(plan2, 20, 2, "h2")
			e.over, e.state, e.outcomes = 0, run.Running, nil
			b.add(e)
		}, "works on the same"},
	} {
		b := newBook(func(string, string) []run.Dirspace { return workspaces("net") }, false)
		b.add(planOf(plan1, 10, 1, "h"))
		a := applyOf("apply-00", 30, 1, "h", plan1)
		a.over, a.outcomes = 0, nil
		b.add(a)
		c.history(b)
		got := strings.Join(b.admitted(a), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
