package apikey

import (
	"strings"

	"github.com/opsplane/opsplane/shared/audit"
)

// AuditRecord is the audit.Owner of API keys. It never shows a key's hash.
func AuditRecord(c audit.Change) (audit.Record, bool) {
	user, ofUser := strings.CutPrefix(c.PK, prefixUser)
	id, isKey := strings.CutPrefix(c.SK, prefixKey)
	if !ofUser || !isKey {
		return audit.Record{}, false
	}
	action := "api_key." + c.Verb()
	if c.Gains(attrRevoked) {
		action = "api_key.revoke"
	}
	r, ok := c.Shown(action, id, attrName, attrDescription, attrCapabilities, attrExpires, attrRevoked)
	if r.After != nil {
		r.After["user"] = user
	}
	return r, ok
}
