package grant

import (
	"strings"

	"github.com/opsplane/opsplane/shared/audit"
)

// AuditRecord is the audit.Owner of host grants. Of a grant it shows only that
// it exists.
func AuditRecord(c audit.Change) (audit.Record, bool) {
	user, ofUser := strings.CutPrefix(c.PK, "USER#")
	system, isGrant := strings.CutPrefix(c.SK, "TOKEN#")
	if !ofUser || !isGrant || !c.Replaces(attrVersion, attrSealed) {
		return audit.Record{}, false
	}
	r := c.Record("grant."+c.Verb(), user)
	r.After = map[string]any{"vcs": system}
	return r, true
}
