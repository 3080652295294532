package texts

import (
	"fmt"
	"strings"

	"github.com/opsplane/opsplane/shared/evaluation/comment"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/result"
)

// maxListed is how many of a list a comment names.
const maxListed = 50

// maxJoined is how many of a list a line names.
const maxJoined = 10

// joined returns the first maxJoined of a list, in the form that form gives them.
func joined[T any](list []T, form func(T) string) string {
	var made []string
	for i, each := range list {
		if i == maxJoined {
			made = append(made, fmt.Sprintf("%d more", len(list)-maxJoined))
			break
		}
		made = append(made, form(each))
	}
	return strings.Join(made, ", ")
}

// listed returns a list with a point for each, cut to maxListed.
func listed[T any](list []T, form func(T) string) string {
	var b strings.Builder
	for i, each := range list {
		if i == maxListed {
			fmt.Fprintf(&b, "- and %d more\n", len(list)-maxListed)
			break
		}
		b.WriteString("- " + form(each) + "\n")
	}
	return b.String()
}

func named(d run.Dirspace) string { return Code(d.String()) }

// pullRequest returns how a comment names where runs come from. GitLab writes ! before the
// number, which sign is.
func pullRequest(of run.Origin, sign string) string {
	if of == run.OriginOfDrift {
		return "the search for drift"
	}
	return sign + plain(short(string(of), maxTitle))
}

// NoMatch says that a command is about nothing.
func NoMatch(trigger string) string {
	return fmt.Sprintf("No directory of this change matches. `%s help` shows the commands.\n", trigger)
}

// AllApplied says that nothing is left to apply.
func AllApplied() string { return "Everything in this change is applied, or has no changes.\n" }

// Unplanned is a dirspace that cannot be applied because it has no plan that counts.
type Unplanned struct {
	run.Dirspace
	Why rules.Validity
	// By is who overtook it.
	By run.Origin
}

// Reason says why there is no plan that counts, without a point at its end.
func (u Unplanned) Reason(sign string) string {
	switch u.Why {
	case rules.Failed:
		return "the last run failed"
	case rules.Overtaken:
		return pullRequest(u.By, sign) + " changed it since it was planned"
	case rules.Used:
		return "its plan was applied already"
	case rules.Expired:
		return "its plan is too old and was removed"
	}
	return "it was not planned since the last push, merge or unlock"
}

// MissingPlans says which dirspaces have to be planned before they are applied.
func MissingPlans(trigger, sign string, list []Unplanned) string {
	return bounded("## Not applied: a plan is missing\n\n" + listed(list, func(u Unplanned) string { return named(u.Dirspace) + ": " + u.Reason(sign) }) +
		fmt.Sprintf("\nPlan again: `%s plan`\n", trigger))
}

// Locked says who holds dirspaces, and how they become free.
func Locked(trigger, sign string, list []rules.Lock) string {
	way := func(l rules.Lock) string {
		if l.Reason == rules.LockedByMerge {
			return "it is merged, and not all of it is applied: apply the rest there"
		}
		return "it has applied something: merge it"
	}
	return bounded("## Not applied: locked\n\n" + listed(list, func(l rules.Lock) string {
		return fmt.Sprintf("%s is locked by %s: %s, or unlock it there", named(l.Dirspace), pullRequest(l.Holder, sign), way(l))
	}) + fmt.Sprintf("\nTo unlock is to write `%s unlock` there. What was planned there is void afterwards.\n", trigger))
}

// Conflicts says which runs are in the way.
func Conflicts(trigger, sign string, list []rules.Conflict, url func(run.ID) string) string {
	stale := true
	for _, c := range list {
		stale = stale && c.Stale
	}
	text := "## Not started: other runs work on the same directories\n\n" + listed(list, func(c rules.Conflict) string {
		return fmt.Sprintf("[%s of %s](%s) works on %s", c.Type.Shown(), pullRequest(c.Origin, sign), url(c.Run), named(c.Shared[0]))
	})
	if stale {
		return bounded(text + fmt.Sprintf("\nThey have not moved for some time. If they are dead, write `%s unlock` where they belong.\n", trigger))
	}
	return bounded(text + "\nWait until they have ended, then write the command again.\n")
}

// NotAppliable says which requirements are not met.
func NotAppliable(list []rules.Requirement) string {
	var b strings.Builder
	b.WriteString("## Not applied: requirements are not met\n\n| Directory | Rule | Conflicts | Checks | Approved | After merge | Ready |\n|---|---|---|---|---|---|---|\n")
	var details []string
	seen := map[string]bool{}
	for i, r := range list {
		if i < maxListed {
			rule := "none matches"
			if r.Entry >= 0 {
				rule = fmt.Sprintf("%d (%s)", r.Entry+1, plain(r.At.String()))
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", cell(r.String()), rule, mark(r.MergeConflicts), mark(r.StatusChecks), mark(r.Approved),
				mark(r.ApplyAfterMerge), mark(r.ReadyForReview))
		}
		for _, detail := range Missing(r) {
			if !seen[detail] && len(details) < maxListed {
				seen[detail], details = true, append(details, detail)
			}
		}
	}
	return bounded(b.String() + "\n" + listed(details, func(d string) string { return d }))
}

func mark(o rules.Outcome) string {
	return map[rules.Outcome]string{rules.Pass: ":white_check_mark:", rules.Fail: ":x:"}[o]
}

// Missing returns what one dirspace lacks to be applied, without points at the ends.
func Missing(r rules.Requirement) []string {
	var made []string
	if r.Entry < 0 {
		made = append(made, "no entry of apply_requirements.checks matches "+named(r.Dirspace.Dirspace)+": add one on the default branch")
	}
	if r.MergeConflicts == rules.Fail {
		made = append(made, "the branch has a conflict with its destination: merge the destination into it")
	}
	if r.StatusChecks == rules.Fail {
		for _, name := range r.FailedStatuses {
			made = append(made, "the check "+Code(name)+" has not succeeded")
		}
	}
	if r.Approved == rules.Fail {
		for _, entry := range r.Missing {
			made = append(made, "an approval of "+Code(entry)+" is missing")
		}
		if r.Have < r.Need {
			made = append(made, fmt.Sprintf("%s of %d are there", count(r.Have, "approval"), r.Need))
		}
	}
	if r.ApplyAfterMerge == rules.Fail {
		made = append(made, "it is applied after the merge")
	}
	if r.ReadyForReview == rules.Fail {
		made = append(made, "the pull request is a draft")
	}
	return made
}

// Denied says what somebody may not do.
func Denied(login string, o rules.Operation, list []rules.Denial) string {
	return bounded(fmt.Sprintf("## Refused: %s may not %s\n\n", Code(login), o) + listed(list, func(d rules.Denial) string {
		if d.Policy < 0 {
			return named(d.Dirspace.Dirspace) + ": no policy of access_control matches it"
		}
		who := "nobody"
		if len(d.Allowed) > 0 {
			who = strings.Join(d.Allowed, ", ")
		}
		return fmt.Sprintf("%s: %s lets %s", named(d.Dirspace.Dirspace), plain(d.At.String()), Code(who))
	}))
}

// DeniedFiles says which changed files somebody may not change.
func DeniedFiles(login string, list []rules.Change) string {
	return bounded(fmt.Sprintf("## Not planned: %s may not change these files\n\n", Code(login)) + listed(list, func(c rules.Change) string {
		who := "nobody"
		if len(c.Allowed) > 0 {
			who = strings.Join(c.Allowed, ", ")
		}
		return fmt.Sprintf("%s: access_control lets %s", Code(c.Path), Code(who))
	}))
}

// Mistakes says what is wrong with the configuration.
func Mistakes(list repoconfig.Mistakes) string {
	return bounded("## The configuration has mistakes\n\n" + listed(list, func(m repoconfig.Mistake) string {
		at := Code(m.At.String())
		if m.Path != "" {
			at += " " + Code(m.Path)
		}
		return at + ": " + plain(m.Problem)
	}) + "\nNothing is planned until they are corrected.\n")
}

// MergeConflict says that a conflict is in the way.
func MergeConflict() string {
	return "## Not started: merge conflict\n\nThe branch has a conflict with its destination. Merge the destination into it, and push.\n"
}

// MergeUnknown says that the host does not know yet whether a conflict is in the way.
func MergeUnknown() string {
	return "## Not started: the host is still looking for merge conflicts\n\nWrite the command again in a minute.\n"
}

// Destination says that the branches are not those that are worked on.
func Destination(destination, source string) string {
	return fmt.Sprintf("## Not started: branch\n\nPull requests from %s into %s are not planned here. `destination_branches` on the default branch names those that are.\n",
		Code(source), Code(destination))
}

// Fork says that branches of forks are not worked on.
func Fork() string {
	return "## Not started: fork\n\nThe branch is in a fork. The CI jobs of this repository do not run for it, because they have its secrets. " +
		"Somebody who may write here can push the branch to this repository and open a pull request from it.\n"
}

// Aborted says that a run ended without a result. reason is that of the run.
func Aborted(apply bool, reason, url string) string {
	word := "plan"
	if apply {
		word = "apply"
	}
	text := fmt.Sprintf("## The %s has no result\n\n%s\n", word, plain(reason))
	if url != "" {
		text += fmt.Sprintf("\n[The run](%s)\n", url)
	}
	return text
}

// Unlocked says that an unlock was done.
func Unlocked(sign string, list []run.Origin, aborted int) string {
	text := "Unlocked: " + joined(list, func(o run.Origin) string { return pullRequest(o, sign) }) + ". What was planned before does not count any more.\n"
	if aborted > 0 {
		text += fmt.Sprintf("\n%s aborted.\n", map[bool]string{true: "1 run was", false: fmt.Sprintf("%d runs were", aborted)}[aborted == 1])
	}
	return text
}

// BadArgument says what is wrong with the argument of a command.
func BadArgument(err *comment.ArgumentError) string {
	return fmt.Sprintf("%s: %s\n", Code(string(err.Action)), plain(err.Problem))
}

// abouts say what each command does.
var abouts = map[comment.Action]string{
	comment.Plan: "plan the directories of this change", comment.Apply: "apply what is planned",
	comment.ApplyForce: "apply without the requirements", comment.ApplyAutoapprove: "plan, and apply at once",
	comment.Unlock: "give locks back and abort runs: of this pull request, of other numbers, or of `drift`", comment.Gate: "approve a gate: `gate approve TOKEN`",
	comment.RepoConfig: "show the configuration, and where each value comes from", comment.Feedback: "tell the operators something", comment.Help: "show this",
}

// Help shows the commands. unknown is the word that is no command, or empty.
func Help(trigger, unknown string) string {
	var b strings.Builder
	if unknown != "" {
		fmt.Fprintf(&b, "%s is not a command.\n\n", Code(fmt.Sprintf("%.200q", unknown)))
	}
	b.WriteString("| Command | What it does |\n|---|---|\n")
	for _, a := range comment.Actions {
		fmt.Fprintf(&b, "| `%s %s` | %s |\n", trigger, a, abouts[a])
	}
	b.WriteString("\nA tag query behind plan and apply selects directories: `dir:net`, `workspace:prod`, `a or b`, `not a`, `prod in dir`.\n")
	return b.String()
}

// RepoConfig shows the effective configuration, in at most maxComments comments.
func RepoConfig(list []repoconfig.Setting) []string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%s = %s  # %s\n", s.Path, s.Value, s.At)
	}
	var parts []string
	for _, piece := range pieces(strings.TrimSuffix(b.String(), "\n"), Max/2) {
		parts = append(parts, block("", piece))
	}
	made := split("## The configuration of this pull request\n", parts)
	if len(made) > maxComments {
		made = made[:maxComments]
		made[maxComments-1] += "\n… cut\n"
	}
	return made
}

// ClosedAlready says that nothing is done on a closed pull request.
func ClosedAlready() string {
	return "This pull request is closed. Open it again, then write the command again.\n"
}

// NoWrite says that somebody may not give commands.
func NoWrite(login string) string {
	return fmt.Sprintf("## Refused\n\n%s may not write in this repository, and commands change infrastructure. "+
		"Somebody who may write can give the command, or `access_control` on the default branch can say who may.\n", Code(login))
}

// NoUnlock says that somebody may not unlock.
func NoUnlock(login string, allowed []string) string {
	who := "nobody"
	if len(allowed) > 0 {
		who = strings.Join(allowed, ", ")
	}
	return fmt.Sprintf("## Refused: %s may not unlock\n\n`access_control.unlock` lets %s.\n", Code(login), Code(who))
}

// Refused says why a run was not started that had been decided.
func Refused(why string) string {
	return "## Not started\n\n" + plain(why) + "\n"
}

// NotMerged says why the pull request was not merged by itself.
func NotMerged(why string) string {
	return "## Not merged\n\nEverything is applied, but the pull request could not be merged: " + plain(why) + ". Merge it yourself.\n"
}

// MergeTitle is the title of the commit of a merge that this server makes.
func MergeTitle(sign string, number int64) string {
	return fmt.Sprintf("Terrateam Automerge %s%d", sign, number)
}

// SquashTitle is the title of the commit of a squash that keeps the title of the pull
// request.
func SquashTitle(title, sign string, number int64) string {
	return fmt.Sprintf("%s (%s%d)", title, sign, number)
}

// Gates says which gates are not passed.
func Gates(trigger string, list []result.Gate) string {
	return bounded("## Not applied: approvals of gates are missing\n\n" + listed(list, func(g result.Gate) string {
		where := ""
		if g.Dir != "" {
			where = named(run.Dirspace{Dir: g.Dir, Workspace: g.Workspace}) + ": "
		}
		if g.Name != "" {
			where += plain(g.Name) + ": "
		}
		var who []string
		if len(g.AllOf) > 0 {
			who = append(who, joined(g.AllOf, Code))
		}
		if g.AnyOfCount > 0 {
			who = append(who, fmt.Sprintf("%d of %s", g.AnyOfCount, joined(g.AnyOf, Code)))
		}
		way := "an approval of the pull request"
		if g.Token != "" {
			way = Code(trigger + " gate approve " + g.Token)
		}
		return where + strings.Join(who, " and ") + ", by " + way
	}))
}

// GateApproved says that an approval of gates was noted.
func GateApproved(trigger string, tokens []string) string {
	return fmt.Sprintf("Noted for this commit: %s. It counts where the gate names you. Then: `%s apply`\n", joined(tokens, Code), trigger)
}

// GivenUp says that a command could not be carried out.
func GivenUp() string {
	return "The command could not be carried out: the host did not answer what is needed for hours. Write it again. If that does not help, ask the operators of this server.\n"
}

// TooLate says that a command came too late to be carried out.
func TooLate(trigger, action string) string {
	return fmt.Sprintf("The command arrived more than an hour after it was written, so nothing is applied: what it was about may have changed. Look at the newest plan, then write `%s %s` again.\n", trigger, action)
}

// UnknownTag says that a query excludes a tag that no directory has.
func UnknownTag(tag string) string {
	return fmt.Sprintf("## Not applied\n\nNo directory of this repository has the tag %s, which the command excludes. So it would mean all that is planned. Correct the tag, or leave it out.\n", Code(tag))
}
