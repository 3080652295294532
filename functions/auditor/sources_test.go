package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/opsplane/opsplane/shared/audit"
)

// TestEveryActionThatIsRecordedCanBeAskedFor reads the actions that the owners of
// items write from the source of their records.
func TestEveryActionThatIsRecordedCanBeAskedFor(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../shared/*/*/auditrecord.go")
	if err != nil {
		t.Fatal(err)
	}
	written := regexp.MustCompile(`"([a-z_]+\.)([a-z_]*)"`)
	found := 0
	for _, file := range files {
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
		t.Errorf("found %d actions in the source of %d owners, want all", found, len(files))
	}
}
