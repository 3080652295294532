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

// paste runs lines in a shell in the project's folder, as a new user does who has started a
// stack there. It returns the output.
func (s *Stack) paste(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.Command("bash", "-eu", "-o", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = s.programs.root, append(os.Environ(), "STATE="+s.State)
	printed, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("paste: %v\n%s", err, printed)
	}
	return string(printed)
}

// varying matches what differs between two runs of the tour.
var varying = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// TestFirstPageWorksAsWritten runs the commands that the stack prints, and then the tour of
// README.md. The responses must be those that the page shows. Then people act at the hosts that
// stand in for GitHub and GitLab.
func TestFirstPageWorksAsWritten(t *testing.T) {
	t.Parallel()
	s := Start(t)
	var lines []string
	for line := range strings.Lines(s.Printed()) {
		if text := strings.TrimSpace(line); strings.HasPrefix(text, "TOKEN=") || strings.HasPrefix(text, "curl ") {
			lines = append(lines, text)
		}
	}
	if len(lines) != 3 {
		t.Fatalf("the stack says to paste %q, want three lines", lines)
	}
	answers := strings.Split(strings.TrimSuffix(s.paste(t, strings.Join(lines, "\n")), "\n"), "\n")
	if len(answers) != 2 || !strings.HasSuffix(answers[0], "}") || !strings.Contains(answers[1], `"data":{"hello":"world"}`) {
		t.Errorf("pasted lines print %q, want an answer a line, the second with the value", answers)
	}

	text, err := os.ReadFile(filepath.Join(s.programs.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, tour, _ := strings.Cut(string(text), "## A tour")
	tour, _, _ = strings.Cut(tour, "\n## ")
	var script, want strings.Builder
	for _, block := range regexp.MustCompile("(?ms)^```(sh)?\n(.*?)^```$").FindAllStringSubmatch(tour, -1) {
		if block[1] == "sh" {
			script.WriteString(block[2])
		} else {
			want.WriteString(block[2])
		}
	}
	got := varying.ReplaceAllString(s.paste(t, script.String()), "…")
	if want := varying.ReplaceAllString(want.String(), "…"); got != want || want == "" {
		t.Errorf("the tour prints\n%s\nand README.md shows\n%s", got, want)
	}
	peopleActAtTheHosts(t, s)
}
