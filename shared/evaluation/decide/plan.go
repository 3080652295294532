package decide

import (
	"slices"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/run"
)

// begin makes the checks that plans and applies share, in front of everything else. ok is
// false if the decision is made.
func begin(s Snapshot, r Request) (d Decision, ok bool) {
	switch {
	case s.Subject.State == rules.Closed:
		d = refuse(ClosedAlready, "", true)
		d.Close = true
		return d, false
	case s.Fork:
		return refuse(ForkRefused, texts.Fork(), false), false
	case len(s.Mistakes) > 0:
		return refuse(Misconfigured, texts.Mistakes(s.Mistakes), false), false
	case !s.Config.Enabled:
		return refuse(Disabled, "", true), false
	case !rules.DestinationAllowed(s.Config.Destinations, s.DefaultBranch, s.Subject.Base.Branch, s.Subject.Head.Branch):
		return refuse(WrongBranch, texts.Destination(s.Subject.Base.Branch, s.Subject.Head.Branch), r.Automatic), false
	}
	return Decision{}, true
}

// Plan decides about a plan (orchestration, 10).
func Plan(s Snapshot, r Request) Decision {
	d, ok := begin(s, r)
	if !ok {
		return d
	}
	standing := rules.Stand(s.Set, s.Subject, s.Results, s.Merges)
	if d.Aggregate = Pending; standing.Done() {
		d.Aggregate = Green
	}
	wanted := standing.Plan(r.Query.Expr)
	if r.Automatic {
		wanted = standing.Autoplan(s.Facts.Draft, s.Subject, s.Results, s.Merges)
	}
	if wanted = r.choose(wanted); len(wanted) == 0 {
		d.Refusal = NothingToDo
		if !r.Automatic {
			d.Comment = nothing(s.Set, standing, r)
		}
		return d
	}
	if files := rules.FileAccess(s.Config.AccessControl, s.Changed, s.CIFile, r.Actor); len(files) > 0 {
		d.Refusal, d.Comment = AccessDenied, texts.DeniedFiles(r.Actor.Login, files)
		return d
	}
	if denied := rules.Access(s.Config.AccessControl, r.Operation, s.described(wanted), r.Actor); len(denied) > 0 {
		wanted = without(wanted, denied)
		for _, each := range denied {
			d.Denied = append(d.Denied, each.Dirspace.Dirspace)
		}
		if len(wanted) == 0 || s.Config.AccessControl.PlanRequiresAll || r.Only != nil {
			d.Refusal, d.Comment = AccessDenied, texts.Denied(r.Actor.Login, r.Operation, denied)
			return d
		}
	}
	if why, text := conflict(s, r); why != "" {
		d.Refusal, d.Comment = why, text
		return d
	}
	list := rules.Dirspaces(wanted)
	superseded := rules.Superseded(list, s.Subject.Origin, s.Active)
	others := slices.DeleteFunc(slices.Clone(s.Active), func(a rules.Active) bool { return slices.Contains(superseded, a.Run) })
	if conflicts := rules.Conflicts(list, false, s.Subject.Origin, others, s.Now); len(conflicts) > 0 {
		d.Refusal, d.Comment = Busy, texts.Conflicts(r.Trigger, s.Sign, conflicts, s.RunURL)
		return d
	}
	d.Abort = superseded
	d.Runs = runs(run.Plan, wanted, s.Config.Batch)
	return d
}

// nothing says that a command is about nothing.
func nothing(set *matching.ChangeSet, standing rules.Standing, r Request) string {
	if standing.Done() && len(set.Members) > 0 {
		return texts.AllApplied()
	}
	return texts.NoMatch(r.Trigger)
}

func runs(of run.Type, list []*matching.Member, batch int) []NewRun {
	var made []NewRun
	for _, b := range rules.Batches(list, batch) {
		made = append(made, NewRun{of, b})
	}
	return made
}

func dirspacesOf(list []*matching.Member) []*matching.Dirspace {
	made := make([]*matching.Dirspace, len(list))
	for i, m := range list {
		made[i] = m.Dirspace
	}
	return made
}

// described returns the dirspaces of members, with what the default branch says of them.
// Rules about who may do what, and about what an apply needs, count for both.
func (s Snapshot) described(list []*matching.Member) []*matching.Dirspace {
	made := dirspacesOf(list)
	if s.Guard == nil {
		return made
	}
	for _, m := range list {
		if d := s.Guard.Find(m.Dirspace.Dirspace); d != nil {
			made = append(made, d)
		}
	}
	return made
}

// without returns the members that are not denied.
func without(list []*matching.Member, denied []rules.Denial) []*matching.Member {
	return slices.DeleteFunc(slices.Clone(list), func(m *matching.Member) bool {
		return slices.ContainsFunc(denied, func(d rules.Denial) bool { return d.Dirspace.Dirspace == m.Dirspace.Dirspace })
	})
}
