package audit_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/audit"
)

// TestEveryActionThatIsRecordedCanBeAskedFor reads the actions that this package
// writes from the package's source.
func TestEveryActionThatIsRecordedCanBeAskedFor(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	written := regexp.MustCompile(`"([a-z_]+\.)([a-z_]*)"`)
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "action.go" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range written.FindAllStringSubmatch(string(text), -1) {
			found++
			actions := []string{m[1] + m[2]}
			if m[2] == "" { // what happened to the item decides the verb
				actions = []string{m[1] + "create", m[1] + "change", m[1] + "remove"}
			}
			for _, action := range actions {
				if err := audit.CheckAction(action); err != nil {
					t.Errorf("%s: %v", file, err)
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("found %d actions in the source, want all", found)
	}
}

func TestActionsThatNoRecordHasAreRefused(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]string{
		"key.delete": "key.remove", "key.wirte": "key.write", "key.*": "key.commit", "upload.finish": "upload.complete", "key.write ": "key.write",
		"key": "end with the dot", "": "kinds are", "keys.": "kinds are", "key.write.more": "key.write", "unreadable.create": "unreadable.change",
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
