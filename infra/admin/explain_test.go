package admin_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/admin"
)

// write writes the files of a working copy.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func explain(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	o := admin.Operator{Out: &out}
	err := o.Run(context.Background(), append([]string{"explain"}, args...))
	return out.String(), err
}

var explained = map[string]string{
	".terrateam/config.yml":    "dirs:\n  app:\n    when_modified: {depends_on: 'dir:net'}\nworkflows:\n- {tag_query: 'dir:app', environment: production}\n",
	"net/main.tf":              "",
	"app/main.tf":              "",
	"other/main.tf":            "",
	"net/.terraform/m/skip.tf": "",
}

func TestChangeIsExplainedWithoutAStack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, explained)
	if !admin.Offline([]string{"explain"}) || admin.Offline([]string{"user", "list"}) {
		t.Error("explain needs a stack, or a list of users does not")
	}
	got, err := explain(t, "--repo", dir, "--changed", "net/main.tf,README.md")
	if err != nil {
		t.Fatal(err)
	}
	want := `part 1 of 2, planned:
  net (default): net/main.tf changed, and the pattern net/*.tf matches it (default)
      stack default, the usual workflow, lock strict
part 2 of 2, planned when part 1 is applied:
  app (default): its depends_on matches net (default), which is planned (.terrateam/config.yml:3)
      stack default, workflow 1 (.terrateam/config.yml:5), environment production, lock strict
2 of 3 dirspaces; part 1 takes 1 runs
  not planned: other (default): no changed file matches other/*.tf, other/*.tfvars (default)
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestChangeOfAWorkingCopyIsComparedWithACommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	write(t, dir, explained)
	git("init", "-q", "-b", "main")
	git("add", ".")
	git("commit", "-q", "-m", "first")
	git("checkout", "-q", "-b", "feature")
	write(t, dir, map[string]string{"other/main.tf": "changed", "new/main.tf": "added"})
	git("add", "new")
	got, err := explain(t, "--repo", dir, "--base", "main", "--branch", "feature")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"new (default): new/main.tf changed", "other (default): other/main.tf changed", "not planned: net (default)"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is missing in\n%s", part, got)
		}
	}
}

func TestExplainRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{".terrateam/config.yml": "workflow: []\nparallel_runs: 0\n"})
	for want, args := range map[string][]string{
		"either --changed": {"--repo", dir},
		"cannot be read":   {"--repo", filepath.Join(dir, "none"), "--changed", "a"},
		"did you mean":     {"--repo", dir, "--changed", "a"},
		"is a commit":      {"--repo", dir, "--base", "-x"},
		"config.yml:2":     {"--repo", dir, "--changed", "a"},
	} {
		if _, err := explain(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
	}
}
