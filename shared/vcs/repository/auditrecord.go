package repository

import (
	"strings"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/vcs"
)

// AuditRecord is the audit.Owner of repositories. A repository that is gone stays as
// an item for some time, so its loss and its return are changes of the item.
func AuditRecord(c audit.Change) (audit.Record, bool) {
	rest, ok := strings.CutPrefix(c.PK, prefix)
	if !ok {
		return audit.Record{}, false
	}
	action := "repository." + c.Verb()
	switch gone := c.After.Has(attrGone); {
	case gone && !c.Before.Has(attrGone):
		action = "repository.remove"
	case !gone && c.Before.Has(attrGone):
		action = "repository.create"
	}
	system, id, _ := strings.Cut(rest, "#")
	r, ok := c.Shown(action, c.Now().Text(attrID),
		attrOwner, attrName, attrBranch, attrArchived, attrPrivate, attrSetup, attrGone)
	return r.In(vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}), ok
}
