package decide

import (
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/run"
)

// Apply decides about an apply (orchestration, 11). Its evaluation is the only one of the
// repository at this time.
func Apply(s Snapshot, r Request) Decision {
	d, ok := begin(s, r)
	if !ok {
		return d
	}
	standing := rules.Stand(s.Set, s.Subject, s.Results, s.Merges)
	if standing.Done() {
		d.Aggregate = Green
	}
	wanted := standing.Apply(r.Query.Expr, s.Tree)
	if r.Automatic {
		wanted = standing.Autoapply(s.Tree, s.Subject.State == rules.Merged)
	}
	wanted = r.choose(wanted)
	list := rules.Dirspaces(wanted)
	refusal := func(why Refusal, text string, silent bool) Decision {
		refused := refuse(why, text, silent)
		refused.Aggregate = d.Aggregate
		return refused
	}
	if len(wanted) == 0 {
		return refusal(NothingToDo, nothing(s.Set, standing, r), r.Automatic)
	}
	if denied := rules.Access(s.Config.AccessControl, r.Operation, s.described(wanted), r.Actor); len(denied) > 0 {
		wanted = without(wanted, denied)
		if len(wanted) == 0 || s.Config.AccessControl.ApplyRequiresAll || r.Only != nil {
			return refusal(AccessDenied, texts.Denied(r.Actor.Login, r.Operation, denied), false)
		}
		list = rules.Dirspaces(wanted)
	}
	if conflicts := rules.Conflicts(list, true, s.Subject.Origin, s.Active, s.Now); len(conflicts) > 0 {
		return refusal(Busy, texts.Conflicts(r.Trigger, s.Sign, conflicts, s.RunURL), false)
	}
	if missing := unplanned(list, s); len(missing) > 0 {
		return refusal(Unplanned, texts.MissingPlans(r.Trigger, s.Sign, missing), r.Automatic)
	}
	if locks := rules.Locked(list, s.Subject, s.Owners, s.Results); len(locks) > 0 {
		return refusal(LockedOut, texts.Locked(r.Trigger, s.Sign, locks), false)
	}
	// A runner merges the destination before it works, so the job would fail.
	if why, text := conflict(s, r); why != "" {
		return refusal(why, text, false)
	}
	if r.Operation != rules.OpApplyForce && !r.Automatic {
		requirements := rules.Requirements(s.Config.Requirements, s.described(wanted), s.Facts)
		for _, each := range requirements {
			if !each.Met() {
				return refusal(NotMet, texts.NotAppliable(requirements), false)
			}
		}
	}
	d.Runs = runs(run.Apply, wanted, s.Config.Batch)
	return d
}

// unplanned returns the dirspaces that have no plan to apply.
func unplanned(list []run.Dirspace, s Snapshot) []texts.Unplanned {
	var missing []texts.Unplanned
	for _, d := range list {
		validity, by := s.Results[d].Plan(s.Subject, s.Merges)
		if validity == rules.Valid {
			continue
		}
		u := texts.Unplanned{Dirspace: d, Why: validity}
		if by != nil {
			u.By = by.Origin
		}
		missing = append(missing, u)
	}
	return missing
}
