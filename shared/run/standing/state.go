package standing

import "github.com/opsplane/opsplane/shared/run"

// State is one of the things that can be said about a row. A row may have several, or
// none. runquery.Workspaces has the same texts.
type State string

// The states.
const (
	// Waiting says that changes wait for an apply: the newest successful plan has
	// changes, and no apply is newer.
	Waiting State = "waiting"
	// Drift says that the newest successful check for drift has found changes, and that
	// no apply is newer.
	Drift State = "drift"
	// PlanFailed says that the newest plan has failed, and that no apply is newer.
	PlanFailed State = "plan_failed"
	// ApplyFailed says that the newest apply has failed, or was aborted.
	ApplyFailed State = "apply_failed"
	// Clean says that the newest result is an apply that succeeded, or a plan or a
	// check for drift without changes, and that nothing of the above is true.
	Clean State = "clean"
)

// States returns what can be said about the row, in the order of the constants.
func (r Row) States() []State {
	states := []State{}
	if r.WaitingPlan() != nil {
		states = append(states, Waiting)
	}
	if r.counts(r.Drift) && r.Drift.Outcome.Has(run.HasChanges) {
		states = append(states, Drift)
	}
	if r.counts(r.Plan) && !r.Plan.Succeeded() {
		states = append(states, PlanFailed)
	}
	if r.Apply != nil && !r.Apply.Succeeded() {
		states = append(states, ApplyFailed)
	}
	if len(states) == 0 && (r.Apply != nil || r.counts(r.Good) || r.counts(r.Drift)) {
		states = append(states, Clean)
	}
	return states
}

// WaitingPlan returns the plan whose changes wait for an apply, or nil.
func (r Row) WaitingPlan() *Result {
	if r.counts(r.Good) && r.Good.Outcome.Has(run.HasChanges) {
		return r.Good
	}
	return nil
}

// counts reports whether a plan still says something: no apply is newer, and no unlock
// has made it void.
func (r Row) counts(plan *Result) bool { return plan.after(r.Apply) && !plan.Void }
