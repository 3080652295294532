package rules

import (
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/run"
)

// Active is a run that is queued or running. Runs that an unlock has made void, and runs
// of an index, are not among them.
type Active struct {
	Run       run.ID
	Origin    run.Origin
	Type      run.Type
	CreatedAt time.Time
	// Began says that a runner has asked for the work.
	Began     bool
	Dirspaces []run.Dirspace
}

// Times after which a run that does not move may be stale (orchestration, 14).
const (
	staleUnbegun = time.Minute
	staleBegun   = time.Hour
)

// MaybeStale reports whether a run has not moved for so long that it may be dead.
func (a Active) MaybeStale(now time.Time) bool {
	age := now.Sub(a.CreatedAt)
	return a.Began && age > staleBegun || !a.Began && age > staleUnbegun
}

// Conflict is a run that keeps a new one away.
type Conflict struct {
	Active
	// Shared are the dirspaces that both work on.
	Shared []run.Dirspace
	// Stale says that the run may be dead.
	Stale bool
}

// Conflicts returns the runs that keep a new plan or apply of dirspaces away, in the order
// of their creation. A plan conflicts with the runs of its own origin, an apply with every
// run.
func Conflicts(wanted []run.Dirspace, apply bool, origin run.Origin, list []Active, now time.Time) []Conflict {
	var found []Conflict
	for _, a := range list {
		if !apply && a.Origin != origin {
			continue
		}
		shared := intersect(wanted, a.Dirspaces)
		if len(shared) > 0 {
			found = append(found, Conflict{a, shared, a.MaybeStale(now)})
		}
	}
	slices.SortStableFunc(found, func(a, b Conflict) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return found
}

// Superseded returns the runs that a new plan of dirspaces takes the place of: the plans of
// the same origin that work on one of them.
func Superseded(wanted []run.Dirspace, origin run.Origin, list []Active) []run.ID {
	var found []run.ID
	for _, a := range list {
		if a.Origin == origin && a.Type.IsPlan() && len(intersect(wanted, a.Dirspaces)) > 0 {
			found = append(found, a.Run)
		}
	}
	return found
}

// intersect returns the dirspaces of a list that another one has too.
func intersect(list, other []run.Dirspace) []run.Dirspace {
	has := make(map[run.Dirspace]bool, len(other))
	for _, d := range other {
		has[d] = true
	}
	var both []run.Dirspace
	for _, d := range list {
		if has[d] {
			both = append(both, d)
		}
	}
	return both
}
