package standing

import (
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runquery"
)

// queried is a row as a query sees it.
type queried struct {
	*Row
	// compared says that the unlocks of the plans are known.
	compared bool
}

var _ runquery.PartialRow = queried{}

// Known implements runquery.PartialRow.
func (q queried) Known(key string) bool { return q.compared || key != "state" && key != "destroys" }

// Texts implements runquery.Row.
func (q queried) Texts(key string) []string {
	switch key {
	case "repo":
		return []string{q.Newest().Name}
	case "dir":
		return []string{q.Dir}
	case "workspace":
		return []string{q.Workspace}
	case "state":
		if !q.compared {
			return nil
		}
		var texts []string
		for _, state := range q.States() {
			texts = append(texts, string(state))
		}
		return texts
	}
	return nil
}

// Number implements runquery.Row.
func (q queried) Number(key string) (int64, bool) {
	if key != "pr" || q.Plan == nil || q.Plan.Kind.Name != run.PullRequest {
		return 0, false
	}
	return q.Plan.Kind.Number, true
}

// Time implements runquery.Row.
func (q queried) Time(key string) (time.Time, bool) {
	of := map[string]*Result{"planned_at": q.Plan, "applied_at": q.Apply}[key]
	if of == nil {
		return time.Time{}, false
	}
	return of.EndedAt.Truncate(time.Second), true
}

// Flag implements runquery.Row.
func (q queried) Flag(key string) (value, ok bool) {
	waits := q.WaitingPlan()
	if key != "destroys" || waits == nil {
		return false, false
	}
	return waits.Outcome.Has(run.Destroys), true
}
