package task

import (
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/vcs"
)

// AuditRecord is the audit.Owner of tasks. Only a change of the state is recorded,
// because a worker also stores its progress and its problems in a task that
// continues.
func AuditRecord(c audit.Change) (audit.Record, bool) {
	id, ok := strings.CutPrefix(c.PK, sortKey+"#")
	if !ok || c.Before.Text(attrState) == c.After.Text(attrState) {
		return audit.Record{}, false
	}
	r, ok := c.Shown("task."+c.Verb(), id, attrState, attrProblem)
	if len(c.Before) > 0 {
		// Workers continue a task in the name of the principal that started it, with
		// requests of their own.
		r.RequestedAt, r.Actor.Request = time.Time{}, ""
	}
	now := c.Now()
	if r.After != nil {
		r.After["kind"] = now.Text(attrKind)
	}
	return r.In(vcs.Installation{VCS: vcs.VCS(now.Text(attrVCS)), ID: vcs.ID(now.Text(attrInstallation))}), ok
}
