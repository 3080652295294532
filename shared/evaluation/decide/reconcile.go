package decide

import (
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/run"
)

// Reconcile returns the members whose drift is applied by itself: those with a plan that
// may be applied, that nobody locks and on which no run works (orchestration, 20). Apply
// requirements are about pull requests, and do not count.
func Reconcile(list []*matching.Member, s rules.Subject, h rules.Histories, in rules.Repository, owners []rules.Owner, active []rules.Active, now time.Time) []*matching.Member {
	return slices.DeleteFunc(slices.Clone(list), func(m *matching.Member) bool {
		d := []run.Dirspace{m.Dirspace.Dirspace}
		validity, _ := h[d[0]].Plan(s, in)
		return validity != rules.Valid || len(rules.Locked(d, s, owners, h)) > 0 || len(rules.Conflicts(d, true, s.Origin, active, now)) > 0
	})
}
