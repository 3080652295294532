//go:build unix

package state_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/local/state"
)

// fill writes files below a folder, and makes the folders that they need.
func fill(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, name := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// files lists every file below a folder.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// use opens a folder as a stack does, leaves in it everything that a stack leaves, and closes
// it.
func use(t *testing.T, dir string) {
	t.Helper()
	f, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fill(t, dir, "data/s3/bucket/object", "data/git/github/acme/infra.git/HEAD", "data/dynamodb.sqlite", "data/dynamodb.sqlite-wal", "data/dynamodb.sqlite.part", "functions/kv/0123456789abcdef/bootstrap", "functions/compiled/kv", "streams/JobsFunction-Tasks.json",
		"servers.log", "requests.log", "requests.log.1", "stack.json.part", "secrets/github-app-private-key", "secrets/github-webhook-secret", "secrets/opsplane-serversecret", "secrets/opsplane-webhooktokensecret")
	if text, err := os.ReadFile(filepath.Join(dir, ".gitignore")); err != nil || string(text) != "*\n" {
		t.Errorf("git would take the folder's secrets: %q, %v", text, err)
	}
	for _, name := range []string{state.APIKey, state.URL, state.Description} {
		if err := f.Write(name, "text"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFolderOfTheUserIsRefusedAndLeftAsItIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ has, says string }{
		"photos":                       {"photos/summer.jpg", "photos"},
		"a folder called data":         {"data/thesis.tex", "data"},
		"a lock of somebody else":      {"lock", ""},
		"a lock with text":             {"lock", "lock"},
		"more than can be named":       {"a b c d e", "a, b, c and 2 more"},
		"a file whose name is a ghost": {".DS_Store", ".DS_Store"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			fill(t, dir, strings.Fields(c.has)...)
			if name == "a lock with text" {
				if err := os.WriteFile(filepath.Join(dir, "lock"), []byte("4711"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.says == "" {
				fill(t, dir, "mine.txt")
				c.says = "mine.txt"
			}
			before := files(t, dir)
			if _, err := state.Open(dir); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "empty folder") {
				t.Errorf("Open: %v, want a refusal that names %s", err, c.says)
			}
			if _, err := state.Clean(dir); err == nil || !strings.Contains(err.Error(), "nothing was removed") {
				t.Errorf("Clean: %v, want a refusal", err)
			}
			if after := files(t, dir); !slices.Equal(after, before) {
				t.Errorf("the folder has %q, had %q", after, before)
			}
		})
	}
}

func TestCleanLeavesNothingOfAStack(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, dir string){
		"a new folder": func(*testing.T, string) {},
		"an empty folder": func(t *testing.T, dir string) {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"its own folder": use,
		"a folder from before there was a mark": func(t *testing.T, dir string) {
			fill(t, dir, "lock", "api-key", "data/s3/x", "functions/kv/fedcba9876543210/bootstrap")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "state")
			prepare(t, dir)
			use(t, dir)
			if left, err := state.Clean(dir); err != nil || len(left) > 0 {
				t.Errorf("left %q, %v", left, err)
			}
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("the folder is still there: %v", err)
			}
			if left, err := state.Clean(dir); err != nil || len(left) > 0 {
				t.Errorf("again: left %q, %v", left, err)
			}
		})
	}
}

func TestCleanKeepsWhatTheUserPutIntoTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mine := []string{"data/notes.txt", "functions/kv/mine.go", "functions/mine.py", "mine.txt", "photos/summer.jpg", "secrets/gitlab-token", "streams/notes.txt"}
	fill(t, dir, "secrets/gitlab-token") // before the first start
	use(t, dir)
	fill(t, dir, mine...)
	use(t, dir)
	left, err := state.Clean(dir)
	if want := []string{"data/notes.txt", "functions/kv/mine.go", "functions/mine.py", "mine.txt", "photos", "secrets/gitlab-token", "streams/notes.txt"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("left %q, %v, want %q", left, err, want)
	}
	if got := files(t, dir); !slices.Equal(got, slices.Insert(slices.Clone(mine), 3, "lock")) {
		t.Errorf("the folder has %q", got)
	}
	use(t, dir) // it still belongs to a stack
}

func TestRunningStackKeepsItsFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.Open(dir); err == nil || !strings.Contains(err.Error(), "another stack uses") {
		t.Errorf("second stack: %v", err)
	}
	if _, err := state.Clean(dir); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("Clean: %v", err)
	}
	f.Close()
	if _, err := state.Clean(dir); err != nil {
		t.Errorf("after its end: %v", err)
	}
}

func TestFolderThatCannotBeMadeSaysWhatToDo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := state.Open(filepath.Join(file, "state")); err == nil || !strings.Contains(err.Error(), "STATE=") {
		t.Errorf("got %v, want what to do", err)
	}
}

func TestToolsOfARunningStackAreHeld(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tools")
	var stacks []*os.File
	for range 2 {
		stack, err := state.UseTools(dir)
		if err != nil {
			t.Fatal(err)
		}
		stacks = append(stacks, stack)
	}
	for _, stack := range stacks {
		if _, err := state.HoldTools(dir); err == nil || !strings.Contains(err.Error(), "stop it first") {
			t.Errorf("in use: %v", err)
		}
		_ = stack.Close()
	}
	held, err := state.HoldTools(dir)
	if err != nil {
		t.Fatalf("after the last one: %v", err)
	}
	if _, err := state.UseTools(dir); err == nil || !strings.Contains(err.Error(), "being removed") {
		t.Errorf("while it is held: %v", err)
	}
	_ = held.Close()
}
