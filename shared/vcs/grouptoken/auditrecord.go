package grouptoken

import (
	"strings"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/vcs"
)

// AuditRecord is the audit.Owner of group tokens. Of a token it shows only that it
// exists.
func AuditRecord(c audit.Change) (audit.Record, bool) {
	group, ok := strings.CutPrefix(c.PK, prefix)
	if !ok || !c.Replaces(attrVersion, attrSealed) {
		return audit.Record{}, false
	}
	return c.Record("group_token."+c.Verb(), group).In(vcs.Installation{VCS: vcs.GitLab, ID: vcs.ID(group)}), true
}
