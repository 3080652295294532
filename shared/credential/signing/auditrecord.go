package signing

import (
	"strings"

	"github.com/opsplane/opsplane/shared/audit"
)

// AuditRecord is the audit.Owner of signing keys. It uses the public half of a key,
// because that is written in one transaction with the private half, and nothing of
// the private half may be shown.
func AuditRecord(c audit.Change) (audit.Record, bool) {
	kid, isKey := strings.CutPrefix(c.SK, prefixVerification)
	if c.PK != pkAuthority || !isKey {
		return audit.Record{}, false
	}
	return c.Shown("signing_key."+c.Verb(), kid, attrUntil, attrDestroyed)
}
