package command

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// History is what PlanFirst needs to know of earlier runs.
type History interface {
	// Plans yields the completed plans of the same repository and origin at the same
	// commit. The newest come first, by the second of their creation. They may come
	// without dirspaces. If it does not look at all of them, it yields an error at the
	// end.
	Plans(ctx context.Context, like run.Spec) iter.Seq2[run.Run, error]
	// Dirspaces returns the dirspaces of a run that came without them.
	Dirspaces(ctx context.Context, r run.Run) ([]run.Dirspace, error)
	// Void returns the last Seq that an unlock has made void, for runs of the same
	// origin. It is 0 if there was no unlock.
	Void(ctx context.Context, like run.Spec) (int64, error)
	// Applies returns the applies of a repository that are queued or running, and those
	// that have ended and are not Recorded yet, with their dirspaces. An apply that ended
	// before its runner had begun is not among them.
	Applies(ctx context.Context, of vcs.Repository) ([]Applying, error)
	// Recorded returns the Seq of the newest recorded apply of each of some dirspaces,
	// whatever came of it. It is to be read after Applies, so that no apply is missed.
	Recorded(ctx context.Context, of vcs.Repository, list []run.Dirspace) (map[run.Dirspace]int64, error)
	// Stored returns the digests of the plans that a run has stored and that have not
	// expired.
	Stored(ctx context.Context, plan run.ID, now time.Time) (map[run.Dirspace]string, error)
}

// Applying is an apply that is queued or running, or that has just ended.
type Applying struct {
	ID        run.ID
	Seq       int64
	Origin    run.Origin
	Ended     bool
	Dirspaces []run.Dirspace
}

// PlanFirst are rules by which an apply needs a successful plan. For each of its
// dirspaces, the newest completed plan of the same pull request, or of the same kind
// and branch, at the same commit decides. The plan must be there: an apply uses it
// up, and an unlock makes it void. No apply of the dirspace, of whatever origin, may
// have come after it: the plan does not show what that apply has changed. A plan needs
// nothing.
type PlanFirst struct{ History History }

var _ Rules = PlanFirst{}

// Admit implements Rules.
func (p PlanFirst) Admit(ctx context.Context, s run.Spec, now time.Time) ([]Use, error) {
	if !s.Type.IsApply() {
		return nil, nil
	}
	applies, err := p.History.Applies(ctx, s.Repository)
	if err != nil {
		return nil, err
	}
	if err := free(applies, s); err != nil {
		return nil, err
	}
	applied, err := p.applied(ctx, applies, s)
	if err != nil {
		return nil, err
	}
	found, err := p.deciding(ctx, s)
	if err != nil {
		return nil, err
	}
	return p.uses(ctx, s, found, applied, now)
}

// free refuses an apply while another one of the same origin has one of its
// dirspaces: it would use the same plan. Applies of other origins wait for each
// other in the queue.
func free(applies []Applying, s run.Spec) error {
	wanted := setOf(s.Dirspaces)
	for _, a := range applies {
		if a.Ended || a.Origin != s.Origin() {
			continue
		}
		if i := slices.IndexFunc(a.Dirspaces, wanted.has); i >= 0 {
			return fault.Invalidf("APPLY_UNDER_WAY", "the apply %s of %s is queued or running: wait for its end, or abort it", a.ID, a.Dirspaces[i])
		}
	}
	return nil
}

// applied returns the Seq of the newest apply of each dirspace that has ended.
func (p PlanFirst) applied(ctx context.Context, applies []Applying, s run.Spec) (map[run.Dirspace]int64, error) {
	newest, err := p.History.Recorded(ctx, s.Repository, s.Dirspaces)
	if err != nil {
		return nil, err
	}
	for _, a := range applies {
		if !a.Ended {
			continue
		}
		for _, d := range a.Dirspaces {
			newest[d] = max(newest[d], a.Seq)
		}
	}
	return newest, nil
}

// skew is how far the clocks of the servers that make runs may differ. The order of
// runs is that of their Seq. That of their seconds may differ by this.
const skew = 5 * time.Second

// decision is the plan that decides about a dirspace.
type decision struct {
	plan    run.Run
	outcome run.Outcome
}

// deciding returns the plans that decide about the dirspaces. A dirspace without a
// plan has none.
func (p PlanFirst) deciding(ctx context.Context, s run.Spec) (map[run.Dirspace]decision, error) {
	void, err := p.History.Void(ctx, s)
	if err != nil {
		return nil, err
	}
	wanted, found := setOf(s.Dirspaces), map[run.Dirspace]decision{}
	var oldest time.Time
	for r, err := range p.History.Plans(ctx, s) {
		switch {
		case err != nil:
			return nil, err
		case len(found) == len(wanted) && r.CreatedAt.Before(oldest.Add(-skew)):
			return found, nil
		case r.State != run.Completed || r.Result == nil || r.Source != s.Source || r.Base.Branch != s.Base.Branch || r.Seq <= void:
			continue
		}
		list, err := p.History.Dirspaces(ctx, r)
		if err != nil {
			return nil, err
		}
		for i, d := range list {
			if i < len(r.Result.Outcomes) && wanted.has(d) && found[d].plan.Seq < r.Seq {
				found[d], oldest = decision{r, r.Result.Outcomes[i]}, r.CreatedAt
			}
		}
	}
	return found, nil
}

// uses returns the plans that the apply uses, or says what is missing.
func (p PlanFirst) uses(ctx context.Context, s run.Spec, found map[run.Dirspace]decision, applied map[run.Dirspace]int64, now time.Time) ([]Use, error) {
	var unplanned, failed, used []run.Dirspace
	stored := map[run.ID]map[run.Dirspace]string{}
	var uses []Use
	for _, d := range s.Dirspaces {
		by, planned := found[d]
		switch {
		case !planned:
			unplanned = append(unplanned, d)
			continue
		case !by.outcome.Has(run.HasResult | run.Succeeded):
			failed = append(failed, d)
			continue
		case applied[d] > by.plan.Seq:
			used = append(used, d)
			continue
		}
		if _, read := stored[by.plan.ID]; !read {
			plans, err := p.History.Stored(ctx, by.plan.ID, now)
			if err != nil {
				return nil, err
			}
			stored[by.plan.ID] = plans
		}
		digest, there := stored[by.plan.ID][d]
		if !there {
			used = append(used, d)
			continue
		}
		uses = append(uses, Use{d, by.plan.ID, digest})
	}
	switch {
	case unplanned != nil:
		return nil, fault.Invalidf("PLAN_NEEDED", "there is no plan of %s at the commit %s of %s, or an unlock has made it void: plan first, then apply",
			named(unplanned), s.Source.Commit, s.Source.Branch)
	case failed != nil:
		return nil, fault.Invalidf("PLAN_FAILED", "the last plan of %s at the commit %s failed (run %s): correct what it reports, plan again, then apply",
			named(failed), s.Source.Commit, found[failed[0]].plan.ID)
	case used != nil:
		return nil, fault.Invalidf("PLAN_GONE", "the plan of %s is not there any more: an apply has used it, its pull request was closed, it was kept too long, or its runner stored none: plan again, then apply",
			named(used))
	}
	return uses, nil
}

// set is a set of dirspaces.
type set map[run.Dirspace]struct{}

func setOf(list []run.Dirspace) set {
	s := make(set, len(list))
	for _, d := range list {
		s[d] = struct{}{}
	}
	return s
}

func (s set) has(d run.Dirspace) bool {
	_, ok := s[d]
	return ok
}
