package user

import (
	"strings"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/vcs"
)

// AuditRecord is the audit.Owner of users.
func AuditRecord(c audit.Change) (audit.Record, bool) {
	id, ok := strings.CutPrefix(c.PK, SortKey+"#")
	if !ok {
		return audit.Record{}, false
	}
	shown := []string{attrName}
	for _, system := range vcs.All() {
		shown = append(shown, members(system), hosted(system), account(system))
	}
	return c.Shown("user."+c.Verb(), id, shown...)
}
