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

// AuditGrantRecord is the audit.Owner of host grants. Of a grant it shows only that
// it exists.
func AuditGrantRecord(c audit.Change) (audit.Record, bool) {
	user, ofUser := strings.CutPrefix(c.PK, "USER#")
	system, isGrant := strings.CutPrefix(c.SK, "TOKEN#")
	if !ofUser || !isGrant || !c.Replaces("version", "sealed") {
		return audit.Record{}, false
	}
	r := c.Record("grant."+c.Verb(), user)
	r.After = map[string]any{"vcs": system}
	return r, true
}
