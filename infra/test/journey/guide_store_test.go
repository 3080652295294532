//go:build unix

package journey

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGuideToTheStoreWorksAsWritten runs every command of the guide, in the folder of a stack
// as "make run" makes it. It also uses the two functions that the guide takes from the guide to
// tokens. It needs bash, curl and Python 3.
func TestGuideToTheStoreWorksAsWritten(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	docs, dir := filepath.Join(s.programs.root, "docs"), t.TempDir()
	guide := filepath.Join(docs, "guide-key-value.md")
	code := strings.Join(blocks(t, guide, "python"), "")
	if err := os.WriteFile(filepath.Join(dir, "kvcp.py"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	script := blocks(t, filepath.Join(docs, "guide-tokens.md"), "sh")[0] + strings.Join(blocks(t, guide, "sh"), "\n")
	cmd := exec.Command("bash", "-eu", "-o", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "STATE="+s.State)
	printed, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the guide's commands failed: %v\n%s", err, printed)
	}
	shown := string(printed)
	for _, want := range []string{
		`{"keys":[{"idx":0,"key":"build/log"},{"idx":1,"key":"build/log"},{"idx":0,"key":"build/status"}]} [200]`,
		`{"count":2,"max_idx":1} [200]`, `{"size":10} [200]`, `cursor=gABidWlsZC9sb2c&limit=1&prefix=true>; rel="next"`,
		`"data":{"odd":1,"sha":"abc","none":null,"first":"a","second":"b"}`, `"data":{"commit":"abc"}`, `"cursor":"`, `{"result":true} [200]`, "\nsame\n",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("the guide's commands do not print %q:\n%s", want, shown)
		}
	}
}
