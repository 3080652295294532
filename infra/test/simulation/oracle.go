package simulation

import (
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/run"
)

// admitted returns what speaks against an apply that was created (orchestration, 12 to 14).
func (b *book) admitted(a *entry) (wrong []string) {
	for _, y := range b.runs {
		if y.seq < a.seq && y.shares(a) && (y.over == 0 || y.over > a.created) && y.seq > b.void(y.pull, a.seq) {
			wrong = append(wrong, fmt.Sprintf("run %s of #%d works on the same", short(y.id), y.pull))
		}
	}
	for _, d := range a.dirs {
		if why := b.stale(a, d); why != "" {
			wrong = append(wrong, fmt.Sprintf("%s: %s", d, why))
		}
	}
	return append(wrong, b.lockedOut(a)...)
}

// fits reports whether a plan was made for the commits of an apply. On a merged pull
// request, runs work on the newest merge. A plan from before the merge counts until another
// one follows.
func (b *book) fits(plan, a *entry) bool {
	if a.base != a.head {
		return plan.base == a.base && plan.head == a.head
	}
	if plan.head == a.head {
		return true
	}
	m := b.merges[a.pull]
	if m == nil || plan.head != m.head {
		return false
	}
	for number, other := range b.merges {
		if number != a.pull && other.seq > m.seq && other.seq < a.seq {
			return false
		}
	}
	return true
}

// stale returns why the plan that an apply uses of a dirspace does not count; the empty
// text if it does.
func (b *book) stale(a *entry, d run.Dirspace) string {
	x := b.byID[a.uses[d]]
	switch {
	case x == nil:
		return "there is no plan"
	case x.apply || x.pull != a.pull || x.seq > a.seq:
		return fmt.Sprintf("the run %s is not a plan of it", short(x.id))
	case x.seq <= b.void(a.pull, a.seq):
		return fmt.Sprintf("an unlock made the plan %s void", short(x.id))
	case !x.outcome(d).Has(run.HasResult | run.Succeeded | run.PlanStored):
		return fmt.Sprintf("the plan %s did not succeed", short(x.id))
	case !b.fits(x, a):
		return fmt.Sprintf("the plan %s is of other commits", short(x.id))
	}
	for _, y := range b.runs {
		if y.seq < a.seq && y.pull != a.pull && y.result(d) {
			if m := b.merges[y.pull]; m != nil && m.seq > x.seq && m.seq < a.seq && m.settled > 0 && m.settled < a.within {
				return fmt.Sprintf("#%d was merged after the plan", y.pull)
			}
		}
		if y.seq <= x.seq || y.seq >= a.seq || !y.has(d) {
			continue
		}
		switch {
		case y.changes(d):
			return fmt.Sprintf("the apply %s of #%d came after the plan", short(y.id), y.pull)
		case !y.apply && y.pull == a.pull && y.result(d) && y.base == x.base && y.head == x.head:
			return fmt.Sprintf("the plan %s is newer", short(y.id))
		}
	}
	return ""
}

// lockedOut returns the pull requests that lock what an apply is about.
func (b *book) lockedOut(a *entry) (wrong []string) {
	pulls := map[int64]bool{}
	for _, y := range b.runs {
		pulls[y.pull] = true
	}
	for number := range pulls {
		if number == a.pull {
			continue
		}
		for _, d := range b.owned(number, a) {
			if a.has(d) {
				wrong = append(wrong, fmt.Sprintf("%s is locked by #%d", d, number))
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// owned returns what a pull request surely locked when an apply of another one was created.
// What happened within the same thing may have come before or after, and is left out.
func (b *book) owned(number int64, a *entry) []run.Dirspace {
	void := b.void(number, a.seq)
	var set []run.Dirspace
	locks := false
	for _, y := range b.runs {
		if y.pull != number || !y.apply || y.seq <= void || y.seq >= a.seq || y.over == 0 || y.over >= a.within {
			continue
		}
		for _, d := range y.dirs {
			if y.result(d) {
				set = append(set, d)
				locks = locks || b.onApply(d)
			}
		}
		if y.base != y.head {
			set = append(set, b.changed(y.base, y.head)...)
		}
	}
	m := b.merges[number]
	switch {
	case m == nil || m.seq >= a.seq:
		if !locks {
			return nil
		}
		return set
	case void >= m.seq || m.settled == 0 || m.settled >= a.within:
		return nil
	}
	set = append(set, b.changed(m.base, m.head)...)
	if slices.ContainsFunc(set, func(d run.Dirspace) bool { return b.onMerge(d) && b.waits(number, d, a, void) }) {
		return set
	}
	return nil
}

// waits reports whether a dirspace of a merged pull request surely waited for an apply.
func (b *book) waits(number int64, d run.Dirspace, a *entry, void int64) bool {
	var newest *entry
	for _, y := range b.runs {
		if y.pull != number || y.seq <= void || y.seq >= a.seq || !y.has(d) {
			continue
		}
		if y.over == 0 || y.over >= a.within {
			return false // it may have ended in time
		}
		if y.result(d) {
			newest = y
		}
	}
	if newest == nil {
		return true
	}
	o := newest.outcome(d)
	return !o.Has(run.Succeeded) || !newest.apply && (!o.Has(run.PlanStored) || o.Has(run.HasChanges))
}

// applied reports whether nothing of a dirspace waits for an apply, at the commits of an
// open pull request (orchestration, 12.2).
func (b *book) applied(number int64, d run.Dirspace, base, head string) bool {
	void := b.void(number, 1<<62)
	var newest *entry
	for _, y := range b.runs {
		if y.pull == number && y.seq > void && (y.result(d) || y.changes(d)) {
			newest = y
		}
	}
	if newest == nil || newest.base != base || newest.head != head {
		return false
	}
	o := newest.outcome(d)
	return o.Has(run.Succeeded) && (newest.apply || o.Has(run.PlanStored) && !o.Has(run.HasChanges))
}
