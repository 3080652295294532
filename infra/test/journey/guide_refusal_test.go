//go:build unix

package journey

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// misuse is a call of a script of the guides that must fail.
type misuse struct {
	args []string
	// kv and key replace the address and the API key. "-" leaves the variable out.
	kv, key string
	// code is the exit code: 2 for a wrong call, else 1. says is a part of the printed line.
	code int
	says string
}

// scriptDir makes a folder with the scripts of the guides and some files.
func scriptDir(t *testing.T, s *Stack) string {
	t.Helper()
	dir := t.TempDir()
	docs := filepath.Join(s.programs.root, "docs")
	for name, text := range map[string]string{
		"artifact.sh": strings.Join(blocks(t, filepath.Join(docs, "guide-artifacts.md"), "bash"), ""),
		"kvcp.py":     strings.Join(blocks(t, filepath.Join(docs, "guide-key-value.md"), "python"), ""),
		"file":        "some bytes", "another": "some more bytes",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// script runs a script, and returns its exit code and its output. The script has only the given
// variables, and those that every process has.
func script(t *testing.T, dir, kv, key string, command ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG"} {
		cmd.Env = append(cmd.Env, name+"="+os.Getenv(name))
	}
	for name, value := range map[string]string{"OPSPLANE_KV": kv, "OPSPLANE_API_KEY": key} {
		if value != "-" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	printed, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(printed)
}

func (m misuse) check(t *testing.T, dir, kv, key string, command ...string) {
	t.Helper()
	if m.kv != "" {
		kv = m.kv
	}
	if m.key != "" {
		key = m.key
	}
	code, printed := script(t, dir, kv, key, append(command, m.args...)...)
	line := strings.TrimSuffix(printed, "\n")
	if code != m.code || strings.Contains(line, "\n") || !strings.Contains(line, m.says) || line == "" {
		t.Errorf("%q with %q: got code %d and\n%s\nwant %d and one line with %q", m.args, m.kv, code, printed, m.code, m.says)
	}
}

// elsewhere starts a server that is not this product and responds to everything.
func elsewhere(t *testing.T) string {
	t.Helper()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html>\n<p>hello\n</html>\n"))
	}))
	t.Cleanup(other.Close)
	return other.URL
}

// TestScriptsOfTheGuidesSayInOneLineWhatIsWrong calls the scripts with mistakes that people
// make.
func TestScriptsOfTheGuidesSayInOneLineWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	dir := scriptDir(t, s)
	kv := s.URL + "/api/v1/github/kv/1"
	other := elsewhere(t) + "/api/v1/github/kv/1"
	closed := "http://127.0.0.1:9/api/v1/github/kv/1"
	wrongKey := s.APIKey[:len(s.APIKey)-1] + "~"
	notThere := strings.Repeat("0", 32)

	for _, m := range []misuse{
		{args: []string{"put", "file"}, code: 2, says: "put FILE KEY"},
		{args: []string{"put"}, code: 2, says: "put FILE KEY"},
		{args: []string{"put", "file", ""}, code: 2, says: "empty"},
		{args: []string{"put", "", "k"}, code: 2, says: "empty"},
		{args: []string{"put", "file", "k", "later"}, code: 2, says: "draft or nothing, not later"},
		{args: []string{"put", "file", "k", "draft", "x"}, code: 2, says: "put FILE KEY"},
		{args: []string{"get", "k"}, code: 2, says: "get KEY FILE"},
		{args: []string{"resume", "file"}, code: 2, says: "resume FILE UPLOAD"},
		{args: []string{"put", "no such file", "k"}, code: 1, says: "no file no such file"},
		{args: []string{"put", ".", "k"}, code: 1, says: "no file ."},
		{args: []string{"resume", "no such file", notThere}, code: 1, says: "no file no such file"},
		{args: []string{"resume", "file", notThere}, code: 1, says: "no upload " + notThere},
		{args: []string{"resume", "file", "../x"}, code: 1, says: "no upload ../x"},
		{args: []string{"get", "no such key", "x"}, code: 1, says: "no file at no such key"},
		{args: []string{"get", "k", "no such folder/x"}, code: 1, says: "no file at k"},
		{args: []string{"put", "file", "k"}, kv: "-", code: 2, says: `OPSPLANE_KV must be an address`},
		{args: []string{"put", "file", "k"}, kv: s.URL, code: 2, says: "OPSPLANE_KV must be an address"},
		{args: []string{"put", "file", "k"}, kv: kv + "/", code: 2, says: "OPSPLANE_KV must be an address"},
		{args: []string{"put", "file", "k"}, key: "-", code: 2, says: "OPSPLANE_API_KEY must be an API key"},
		{args: []string{"put", "file", "k"}, key: wrongKey, code: 1, says: "is OPSPLANE_API_KEY right"},
		{args: []string{"put", "file", "k"}, kv: s.URL + "/api/v1/github/kv/987654321", code: 1, says: "is the installation in OPSPLANE_KV right"},
		{args: []string{"get", "k", "x"}, kv: s.URL + "/api/v1/gitlab/kv/1", code: 1, says: "is the installation in OPSPLANE_KV right"},
		{args: []string{"put", "file", "k"}, kv: closed, code: 1, says: "does not respond: is OPSPLANE_KV right?"},
		{args: []string{"get", "k", "x"}, kv: other, code: 1, says: "another server: is OPSPLANE_KV right?"},
	} {
		m.check(t, dir, kv, s.APIKey, "./artifact.sh")
	}
	if code, printed := script(t, dir, kv, s.APIKey, "./artifact.sh"); code != 2 || strings.Count(printed, "\n") != 4 {
		t.Errorf("without arguments: got code %d and\n%s\nwant 2 and how it is called", code, printed)
	}

	for _, m := range []misuse{
		{code: 2, says: "put FILE KEY"},
		{args: []string{"put", "file"}, code: 2, says: "put FILE KEY"},
		{args: []string{"put", "file", ""}, code: 2, says: "put FILE KEY"},
		{args: []string{"put", "no such file", "k"}, code: 1, says: "no such file"},
		{args: []string{"get", "no such key", "x"}, code: 1, says: "nothing at no such key"},
		{args: []string{"put", "file", "k"}, kv: "-", code: 2, says: "OPSPLANE_KV must be an address"},
		{args: []string{"put", "file", "k"}, kv: s.URL, code: 2, says: "OPSPLANE_KV must be an address"},
		{args: []string{"put", "file", "k"}, key: "-", code: 2, says: "OPSPLANE_API_KEY must be an API key"},
		{args: []string{"put", "file", "k"}, key: wrongKey, code: 1, says: "is OPSPLANE_API_KEY right"},
		{args: []string{"put", "file", "k"}, kv: s.URL + "/api/v1/github/kv/987654321", code: 1, says: "is the installation in OPSPLANE_KV right"},
		{args: []string{"put", "file", "k"}, kv: closed, code: 1, says: "no response: is OPSPLANE_KV right?"},
		{args: []string{"get", "k", "x"}, kv: other, code: 1, says: "is OPSPLANE_KV right?"},
	} {
		m.check(t, dir, kv, s.APIKey, "python3", "kvcp.py")
	}
}

// TestScriptsOfTheGuidesChangeNothingWhenTheyRefuse uses a key that exists. A call without the
// key's name, or with a file that does not exist, must not change it.
func TestScriptsOfTheGuidesChangeNothingWhenTheyRefuse(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	dir := scriptDir(t, s)
	in := s.Installation(t, "github") // nobody else writes to it
	kv, key := s.URL+in.Base(), s.Key(t, s.User(t, in), Capabilities()...)
	run := func(want int, command ...string) {
		t.Helper()
		code, printed := script(t, dir, kv, key, command...)
		if code != want {
			t.Errorf("%q: got code %d and %s, want %d", command, code, printed, want)
		}
	}
	run(0, "python3", "kvcp.py", "put", "file", "chunks")
	run(1, "python3", "kvcp.py", "put", "no such file", "chunks")
	run(0, "python3", "kvcp.py", "get", "chunks", "copy")
	run(0, "./artifact.sh", "put", "file", "whole")
	run(2, "./artifact.sh", "put", "another")
	run(0, "./artifact.sh", "get", "whole", "copy2")
	for _, name := range []string{"copy", "copy2"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != "some bytes" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

// TestChunkThatIsThereAlreadyIsTakenForOursOnlyIfItIs guards a record so that the script's
// delete leaves the record. Then the script's cas fails, as it does after a lost response.
func TestChunkThatIsThereAlreadyIsTakenForOursOnlyIfItIs(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	dir := scriptDir(t, s)
	in := s.Installation(t, "github")
	key := s.Key(t, s.User(t, in), Capabilities()...)
	chunk := func(text string) string {
		text = base64.StdEncoding.EncodeToString([]byte(text))
		return fmt.Sprintf(`{"chk": "sha256:%x", "data": %q}`, sha256.Sum256([]byte(text)), text)
	}
	for name, c := range map[string]struct {
		data, guard string // guard is the member that guards the record with a capability that the key does not have
		code        int
	}{
		"ours":    {chunk("some bytes"), `"write_caps"`, 0},
		"other":   {chunk("other bytes"), `"write_caps"`, 1},
		"none":    {`"no chunk"`, `"write_caps"`, 1},
		"no-data": {`{"data": "YQ=="}`, `"write_caps"`, 1},
		"hidden":  {chunk("some bytes"), `"read_caps": [{"name": "vcs", "vcs": "github"}], "write_caps"`, 1},
	} {
		body := fmt.Sprintf(`{"data": %s, "committed": false, %s: [{"name": "vcs", "vcs": "github"}]}`, c.data, c.guard)
		if answer := s.Client(key).Do(t, "PUT", in.Base()+"/key/"+name, body); answer.Status != http.StatusOK {
			t.Fatalf("set: %d %s", answer.Status, answer.Body)
		}
		code, printed := script(t, dir, s.URL+in.Base(), key, "python3", "kvcp.py", "put", "file", name)
		if code != c.code || strings.Count(printed, "\n") != c.code {
			t.Errorf("%s: got code %d and %s, want %d and a line if it fails", name, code, printed, c.code)
		}
	}
}
