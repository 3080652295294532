package evaluator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/result"
)

// of adds what is known of a dirspace that is planned.
func (b *blocker) of(e *Explained) {
	d := e.Dirspace.Dirspace
	var by *rules.Result
	e.Plan, by = b.history.results[d].Plan(b.history.subject, b.history.merges)
	if by != nil {
		e.By = ByRun{by.Run, by.Origin}
	}
	if e.Applied = !b.unapplied[d]; e.Applied {
		return
	}
	e.Requirement = new(b.requirements[d])
	switch {
	case !b.layer[d]:
		e.Blocks = append(e.Blocks, Block{
			Rule: EarlierLayer, Text: "An earlier layer of this change is not applied.",
			WayOut: "Apply it: this layer is planned then by itself.", Command: b.trigger + " apply",
		})
	case !b.now[d]:
		e.Blocks = append(e.Blocks, Block{
			Rule: EarlierStack, Text: "A stack that is applied before " + e.Stack + " is not applied.", WayOut: "Apply it first.", Command: b.trigger + " apply",
		})
	}
	e.Blocks = append(e.Blocks, b.runs(d)...)
	if e.Plan != rules.Valid && b.layer[d] {
		e.Blocks = append(e.Blocks, b.unplanned(e))
	}
	if l, locked := b.locks[d]; locked {
		e.Blocks = append(e.Blocks, b.locked(l))
	}
	if !e.Requirement.Met() {
		e.Blocks = append(e.Blocks, Block{
			Rule: decide.NotMet, Text: sentence("The requirements of an apply are not met: " + strings.Join(texts.Missing(*e.Requirement), "; ")),
			WayOut: "Do what is missing, then apply.", Command: b.trigger + " apply",
		})
	}
	for _, g := range b.gates {
		if g.Dir == "" || g.Dir == d.Dir && g.Workspace == d.Workspace {
			e.Blocks = append(e.Blocks, b.gate(g))
		}
	}
}

// sentence ends a text with a point.
func sentence(text string) string { return strings.TrimSuffix(text, ".") + "." }

// runs returns the runs that work on a dirspace.
func (b *blocker) runs(d run.Dirspace) []Block {
	var made []Block
	for _, c := range b.conflicts {
		if !slices.Contains(c.Shared, d) {
			continue
		}
		block := Block{
			Rule: decide.Busy, By: ByRun{c.Run, c.Origin}, Text: fmt.Sprintf("A run of %s works on it (%s).", b.named(c.Origin), c.Type.Shown()),
			WayOut: "Wait until it has ended.",
		}
		if c.Stale {
			block.WayOut = "It has not moved for some time. Wait until it has ended. If it is dead, write the command " + b.where(c.Origin) + "."
			block.Command = b.unlock(c.Origin)
		}
		made = append(made, block)
	}
	return made
}

// unplanned says that there is no plan to apply.
func (b *blocker) unplanned(e *Explained) Block {
	u := texts.Unplanned{Dirspace: e.Dirspace.Dirspace, Why: e.Plan, By: e.By.Origin}
	block := Block{Rule: decide.Unplanned, By: e.By, Text: sentence("There is no plan to apply: " + u.Reason(sign(b.place.of))), WayOut: "Plan again.", Command: b.trigger + " plan"}
	if e.Plan == rules.NoPlan && (!e.Autoplan || b.pr.Draft && !e.AutoplanDraft) {
		block.WayOut = "A push does not plan it by itself. Write the command."
	}
	return block
}

// locked says who holds the lock of a dirspace.
func (b *blocker) locked(l rules.Lock) Block {
	h := b.holders[l.Holder]
	text, out := lockText(l.Reason, b.named(l.Holder))
	return Block{
		Rule: decide.LockedOut, By: ByRun{Origin: l.Holder}, Title: h.Title, Author: h.Author, Since: h.Since, Reason: l.Reason,
		Text: text, WayOut: out, Command: b.unlock(l.Holder),
	}
}

// lockText says why a pull request holds a lock, and how the lock becomes free. holder names
// the pull request.
func lockText(reason rules.LockReason, holder string) (text, wayOut string) {
	text, first := "it has applied something, and is not merged.", "Merge "
	if reason == rules.LockedByMerge {
		text, first = "it is merged, and not all of it is applied.", "Apply the rest of "
	}
	return "The lock is held by " + holder + ": " + text, first + holder + ", or write the command in a comment there. What was planned there is void then."
}

// gate says that a gate is not passed.
func (b *blocker) gate(g result.Gate) Block {
	who := slices.Clone(g.AllOf)
	if g.AnyOfCount > 0 {
		who = append(who, fmt.Sprintf("%d of %s", g.AnyOfCount, strings.Join(g.AnyOf, ", ")))
	}
	block := Block{Rule: GatePending, Text: sentence("A gate of the plan is not passed: " + g.Name), WayOut: sentence("It needs an approval of the pull request by " + strings.Join(who, " and "))}
	if g.Token != "" {
		block.WayOut, block.Command = sentence("It needs this command of "+strings.Join(who, " and ")), b.trigger+" gate approve "+g.Token
	}
	return block
}

// named returns how sentences name where runs come from.
func (b *blocker) named(of run.Origin) string {
	number, is := of.PullRequest()
	switch {
	case !is:
		return "the search for drift"
	case of == b.history.subject.Origin:
		return "this pull request"
	}
	return fmt.Sprintf("pull request %s%d", sign(b.place.of), number)
}

// where says where an unlock is written.
func (b *blocker) where(of run.Origin) string {
	if number, is := of.PullRequest(); is && of != b.history.subject.Origin {
		return fmt.Sprintf("in a comment on %s%d", sign(b.place.of), number)
	}
	return "in a comment here"
}

// unlock returns the command that unlocks an origin.
func (b *blocker) unlock(of run.Origin) string {
	if of == run.OriginOfDrift {
		return b.trigger + " unlock drift"
	}
	return b.trigger + " unlock"
}
