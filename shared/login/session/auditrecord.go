package session

import (
	"strings"

	"github.com/opsplane/opsplane/shared/audit"
)

// AuditRecord is the audit.Owner of sessions.
func AuditRecord(c audit.Change) (audit.Record, bool) {
	id, ok := strings.CutPrefix(c.PK, "SESSION#")
	if !ok {
		return audit.Record{}, false
	}
	action := "session." + c.Verb()
	if c.Gains("ended_at") {
		action = "session.end"
	}
	return c.Shown(action, id, "user", "vcs", "account", "ended_at")
}
