package evaluator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/run"
)

// refusal returns what a decision refuses as a fault, or nil. It names the first dirspace
// that is refused.
func (s *scene) refusal(d decide.Decision, of decide.Snapshot, r decide.Request) error {
	apply := r.Operation == rules.OpApply
	switch d.Refusal {
	case "":
		return nil
	case decide.NothingToDo:
		return s.nothing(of, r)
	case decide.AccessDenied:
		if files := rules.FileAccess(s.loaded.Config.AccessControl, of.Changed, of.CIFile, r.Actor); !apply && len(files) > 0 {
			return fault.Invalidf("ACCESS_DENIED", "the pull request changes %s, which access_control lets %s change: ask one of them", files[0].Path, somebody(files[0].Allowed))
		}
		return deniedAccess(r.Operation, rules.Access(s.loaded.Config.AccessControl, r.Operation, dirspacesIn(s.loaded.Tree, r.Only), r.Actor))
	case decide.Busy:
		active := of.Active
		if !apply {
			superseded := rules.Superseded(r.Only, of.Subject.Origin, active)
			active = slices.DeleteFunc(slices.Clone(active), func(a rules.Active) bool { return slices.Contains(superseded, a.Run) })
		}
		return inTheWay(rules.Conflicts(r.Only, apply, of.Subject.Origin, active, of.Now)[0], of.Subject.Origin, apply)
	case decide.Unplanned:
		for _, one := range r.Only {
			if validity, by := of.Results[one].Plan(of.Subject, of.Merges); validity != rules.Valid {
				return unplanned(one, validity, by)
			}
		}
	case decide.LockedOut:
		return lockedOut(rules.Locked(r.Only, of.Subject, of.Owners, of.Results)[0])
	case decide.NotMet:
		for _, each := range rules.Requirements(s.loaded.Config.Requirements, dirspacesIn(s.loaded.Tree, r.Only), of.Facts) {
			if !each.Met() {
				return fault.Invalidf("REQUIREMENTS_NOT_MET", "the requirements of an apply of %s are not met: %s", each.Dirspace.Dirspace, strings.Join(texts.Missing(each), "; "))
			}
		}
	}
	for _, b := range s.refusals() {
		if b.Rule == d.Refusal {
			return s.refused(b)
		}
	}
	return s.refused(Block{Rule: d.Refusal})
}

// unsettledWait is after how long a request is worth sending again while the host looks for
// conflicts.
const unsettledWait = 10 * time.Second

// refused returns what is in the way of a pull request as a fault.
func (s *scene) refused(b Block) error {
	switch b.Rule {
	case decide.ClosedAlready:
		return fault.Invalidf("PULL_REQUEST_CLOSED", "pull request %d is closed: open it again, or start the run on a branch", s.number)
	case decide.ForkRefused:
		return fault.Invalidf("PULL_REQUEST_OF_FORK", "the branch of pull request %d is in a fork, and runs would use the secrets of this repository: push the branch to this repository first", s.number)
	case decide.Misconfigured:
		return misconfigured(s.loaded.Mistakes)
	case decide.Disabled:
		return disabled()
	case decide.Unsettled:
		return fault.Busyf("MERGEABILITY_UNKNOWN", "%s looks for merge conflicts of pull request %d: try again in a moment", s.of.Installation.VCS.Label(), s.number).After(unsettledWait)
	case decide.WrongBranch:
		return fault.Invalidf("DESTINATION_BRANCH", "%s %s", b.Text, b.WayOut)
	case decide.Conflicted:
		return fault.Invalidf("MERGE_CONFLICT", "%s %s", b.Text, b.WayOut)
	case GatePending:
		return fault.Invalidf("GATE_PENDING", "%s", strings.TrimSpace(b.Text+" "+b.WayOut+" "+b.Command))
	}
	return fmt.Errorf("the refusal %s of %s has no text", b.Rule, s.of.PullRequest(s.number))
}

// nothing says why a dirspace is not what the operation is about.
func (s *scene) nothing(of decide.Snapshot, r decide.Request) error {
	standing := rules.Stand(of.Set, of.Subject, of.Results, of.Merges)
	now := standing.Plan(nil)
	if r.Operation == rules.OpApply {
		now = standing.Apply(nil, of.Tree)
	}
	in := func(list []*matching.Member, d run.Dirspace) bool {
		return slices.ContainsFunc(list, func(m *matching.Member) bool { return m.Dirspace.Dirspace == d })
	}
	i := slices.IndexFunc(r.Only, func(d run.Dirspace) bool { return !in(now, d) })
	d := r.Only[max(i, 0)]
	why := "an earlier stack or layer of the change is not applied: apply that first"
	switch {
	case !in(of.Set.Members, d):
		why = fmt.Sprintf("pull request %d does not change it: start the run on a branch", s.number)
	case !slices.ContainsFunc(standing.Unapplied, func(layer []*matching.Member) bool { return in(layer, d) }):
		why = "it is applied, or its plan has no changes"
	}
	return fault.Invalidf("NOTHING_TO_DO", "there is nothing to %s in %s: %s", r.Operation, d, why)
}

// refuseUnknown refuses dirspaces that do not exist at a commit.
func refuseUnknown(in *matching.Repository, list []run.Dirspace, at run.Ref) error {
	for _, d := range list {
		if in.Find(d) == nil {
			return fault.Invalidf("UNKNOWN_DIRSPACE", "the commit %s of %s has no directory %s with the workspace %s: check the name, and that dirs of the configuration names the workspace", at.Commit, at.Branch, d.Dir, d.Workspace)
		}
	}
	return nil
}

// deniedAccess says with which dirspace somebody may not do an operation.
func deniedAccess(o rules.Operation, denied []rules.Denial) error {
	if denied[0].Policy < 0 {
		return fault.Invalidf("ACCESS_DENIED", "nobody may %s %s: no policy of access_control matches it", o, denied[0].Dirspace.Dirspace)
	}
	return fault.Invalidf("ACCESS_DENIED", "you may not %s %s: %s lets %s; ask one of them", o, denied[0].Dirspace.Dirspace, denied[0].At, somebody(denied[0].Allowed))
}

func somebody(list []string) string {
	if len(list) == 0 {
		return "nobody"
	}
	return strings.Join(list, ", ")
}

// inTheWay says which run keeps a run of an origin away.
func inTheWay(c rules.Conflict, origin run.Origin, apply bool) error {
	if apply && c.Type.IsApply() && c.Origin == origin {
		return fault.Invalidf("APPLY_UNDER_WAY", "the apply %s of %s is queued or running: wait for its end, or abort it", c.Run, c.Shared[0])
	}
	return fault.Invalidf("RUNS_IN_THE_WAY", "the run %s of %s (%s) works on %s: wait until it has ended, or abort it, then try again", c.Run, holder(c.Origin), c.Type.Shown(), c.Shared[0])
}

// holder names where runs come from.
func holder(of run.Origin) string {
	number, is := of.PullRequest()
	switch {
	case is:
		return fmt.Sprintf("pull request %d", number)
	case of == run.OriginOfDrift:
		return "the search for drift"
	}
	return "a branch"
}

// lockedOut says who holds the lock of a dirspace, and the way out.
func lockedOut(l rules.Lock) error {
	text, _ := lockText(l.Reason, holder(l.Holder))
	out := "merge that pull request"
	if l.Reason == rules.LockedByMerge {
		out = "apply the rest of that pull request"
	}
	return fault.Invalidf("LOCKED", "%s is locked. %s So %s, or unlock it: what was planned there is void then", l.Dirspace, text, out)
}

// unplanned says why there is no plan of a dirspace to apply. by is the run that decided.
func unplanned(d run.Dirspace, why rules.Validity, by *rules.Result) error {
	switch why {
	case rules.NoPlan:
		return fault.Invalidf("PLAN_NEEDED", "there is no plan of %s at the present commits, or an unlock has made it void: plan first, then apply", d)
	case rules.Failed:
		return fault.Invalidf("PLAN_FAILED", "the last run of %s failed (run %s): correct what it reports, plan again, then apply", d, by.Run)
	case rules.Overtaken:
		return fault.Invalidf("PLAN_GONE", "%s was changed by %s since it was planned: plan again, then apply", d, holder(by.Origin))
	}
	return fault.Invalidf("PLAN_GONE", "the plan of %s is not there any more: an apply has used it, or it was kept too long: plan again, then apply", d)
}
