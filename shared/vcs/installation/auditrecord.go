package installation

import "github.com/opsplane/opsplane/shared/audit"

// AuditRecord is the audit.Owner of installations.
func AuditRecord(c audit.Change) (audit.Record, bool) {
	in, ok := parseKey(c.PK)
	if !ok {
		return audit.Record{}, false
	}
	r, ok := c.Shown("installation."+c.Verb(), string(in.ID), attrName, attrState, attrTargetType)
	return r.In(in), ok
}
