package session

import (
	"strings"

	"github.com/opsplane/opsplane/shared/audit"
)

// AuditRecord is the audit.Owner of sessions.
func AuditRecord(c audit.Change) (audit.Record, bool) {
	id, ok := strings.CutPrefix(c.PK, prefixSession)
	if !ok {
		return audit.Record{}, false
	}
	action := "session." + c.Verb()
	if c.Gains(attrEnded) {
		action = "session.end"
	}
	return c.Shown(action, id, attrUser, attrVCS, attrAccount, attrEnded)
}
