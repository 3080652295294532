//go:build unix

package journey

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fence matches a code block of a guide: its language and its text.
var fence = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// blocks returns the code blocks of a guide in one language, in their order.
func blocks(t *testing.T, guide, language string) []string {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			found = append(found, m[2])
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s has no code in %s", guide, language)
	}
	return found
}

// steps returns the commands of a workflow's steps, in their order: the lines that are indented
// below a "run: |".
func steps(workflow string) string {
	var out strings.Builder
	depth := -1
	for line := range strings.Lines(workflow) {
		text := strings.TrimLeft(line, " ")
		indent := len(line) - len(text)
		if depth >= 0 && indent <= depth {
			depth = -1
		}
		switch {
		case depth >= 0:
			out.WriteString(text)
		case text == "run: |\n":
			depth = indent
		}
	}
	return out.String()
}

// TestGuideToArtifactsWorksAsWritten runs every command of the guide, in the folder of a stack
// as "make run" makes it. It needs what the guide names: bash, curl, jq and zip.
func TestGuideToArtifactsWorksAsWritten(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	guide := filepath.Join(s.programs.root, "docs", "guide-artifacts.md")
	dir := t.TempDir()
	script := strings.Join(blocks(t, guide, "bash"), "")
	if err := os.WriteFile(filepath.Join(dir, "artifact.sh"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(script string) string {
		t.Helper()
		// The script of the guide is in this folder, so the guide's change to another folder is
		// left out.
		cmd := exec.Command("bash", "-eu", "-o", "pipefail", "-c", strings.ReplaceAll(script, `cd "$(mktemp -d)"`, ":"))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "STATE="+s.State, "GITHUB_SHA=0123abc", "OPSPLANE_KV="+s.URL+"/api/v1/github/kv/1", "OPSPLANE_API_KEY="+s.APIKey)
		printed, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("the guide's commands failed: %v\n%s", err, printed)
		}
		return string(printed)
	}
	shown := run(strings.Join(blocks(t, guide, "sh"), "\n"))
	for _, want := range []string{
		"\n\"done\"\n", `"file_name":"hello.txt"`, "\nhello\n", "\nsame\n",
		`{"keys":[{"idx":0,"key":"runs/17/lambda.zip"},{"idx":0,"key":"runs/17/plan"}]}`, "No errors detected", "built from 4f2a1c9",
		`{"number":1,"offset":0,"size":67108864,"arrived":true}`, `{"number":2,"offset":67108864,"size":42891136,"arrived":false}`,
		`"key":"backups/big","size":161,"version":0`, `"key":"backups/big","size":141,"version":1`,
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("the guide's commands do not print %q:\n%s", want, shown)
		}
	}
	commands := steps(strings.Join(blocks(t, guide, "yaml"), ""))
	if shown = run(commands); strings.Count(commands, "artifact.sh") != 2 || !strings.Contains(shown, "built from 0123abc") {
		t.Errorf("the steps of the workflow:\n%s\nprint:\n%s", commands, shown)
	}
}
