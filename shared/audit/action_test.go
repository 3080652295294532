package audit_test

import (
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/audit"
)

func TestActionsThatNoRecordHasAreRefused(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]string{
		"key.delete": "key.remove", "key.wirte": "key.write", "key.*": "key.commit", "upload.finish": "upload.complete", "key.write ": "key.write",
		"key": "a kind with a dot", "": "kinds are", "keys.": "kinds are", "key.write.more": "key.write", "unreadable.create": "unreadable.change",
	} {
		if err := audit.CheckAction(filter); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", filter, err, want)
		}
	}
	for _, kind := range audit.Kinds() {
		if err := audit.CheckAction(kind + "."); err != nil {
			t.Errorf("%s.: %v", kind, err)
		}
	}
}
