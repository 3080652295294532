package evaluator

import (
	"context"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
)

// admission are the rules that are asked again when a run of an evaluation is created. Its
// decision was made a moment before, and a command by API may have come between.
type admission struct {
	*Evaluator
	subject rules.Subject
	number  int64
	// plans are those that were decided by, for each dirspace.
	plans []run.ID
}

var _ command.Rules = admission{}

// Admit implements command.Rules.
func (a admission) Admit(ctx context.Context, s run.Spec, now time.Time) ([]command.Use, error) {
	if !s.Type.IsApply() {
		return nil, nil
	}
	h := a.historian(s.Repository)
	found, err := h.begin(ctx, a.subject, a.number)
	if err != nil {
		return nil, err
	}
	if err := h.complete(ctx, &found, s.Dirspaces); err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(found.active, func(r rules.Active) bool { return r.Run == s.ID })
	if conflicts := rules.Conflicts(s.Dirspaces, true, a.subject.Origin, others, now); len(conflicts) > 0 {
		return nil, inTheWay(conflicts[0], a.subject.Origin, true)
	}
	if locks := rules.Locked(s.Dirspaces, found.subject, found.owners, found.results); len(locks) > 0 {
		return nil, lockedOut(locks[0])
	}
	return a.uses(ctx, s, found, now)
}

// uses returns the plan of each dirspace.
func (a admission) uses(ctx context.Context, s run.Spec, found history, now time.Time) ([]command.Use, error) {
	digests := map[run.ID]map[run.Dirspace]string{}
	uses := make([]command.Use, len(s.Dirspaces))
	for i, d := range s.Dirspaces {
		validity, by := found.results[d].Plan(found.subject, found.merges)
		if validity != rules.Valid {
			return nil, unplanned(d, validity, by)
		}
		if i < len(a.plans) && a.plans[i] != by.Run {
			return nil, fault.Invalidf("PLAN_NEEDED", "%s was planned again meanwhile: look at the new plan, then apply", d)
		}
		if digests[by.Run] == nil {
			stored, err := a.Start.History.Stored(ctx, by.Run, now)
			if err != nil {
				return nil, err
			}
			digests[by.Run] = stored
		}
		digest, there := digests[by.Run][d]
		if !there {
			return nil, unplanned(d, rules.Expired, by)
		}
		uses[i] = command.Use{Dirspace: d, Plan: by.Run, Digest: digest}
	}
	return uses, nil
}
