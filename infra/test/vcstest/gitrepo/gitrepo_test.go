package gitrepo_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest/gitrepo"
)

// made is a repository of a test.
type made struct {
	*gitrepo.Repository
	t *testing.T
}

// start makes a repository whose branch main has two files.
func start(t *testing.T) made {
	t.Helper()
	files, err := gitrepo.Tree(fstest.MapFS{"prod/main.tf": {Data: []byte("one\ntwo\nthree\n")}, "staging/main.tf": {Data: []byte("one\n")}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := gitrepo.Create(t.TempDir(), gitrepo.Commit{Branch: "main", Write: files})
	if err != nil {
		t.Fatal(err)
	}
	return made{r, t}
}

func (m made) commit(c gitrepo.Commit) string {
	m.t.Helper()
	id, err := m.Commit(c)
	if err != nil {
		m.t.Fatal(err)
	}
	return id
}

// branch makes a branch from main with one changed file.
func (m made) branch(name, path, text string) string {
	m.t.Helper()
	return m.commit(gitrepo.Commit{Branch: name, From: m.head("main"), Write: map[string]string{path: text}})
}

func (m made) head(branch string) string {
	m.t.Helper()
	id, err := m.Head(branch)
	if err != nil {
		m.t.Fatal(err)
	}
	return id
}

// text returns the content of a file on a branch. It is "-" if there is none.
func (m made) text(branch, path string) string {
	m.t.Helper()
	text, err := m.Read(m.head(branch), path)
	if errors.Is(err, gitrepo.ErrUnknown) {
		return "-"
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

func (m made) paths(commit string) (paths []string) {
	m.t.Helper()
	files, err := m.Files(commit)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	return paths
}

func TestCommitsChangeAndRemoveFiles(t *testing.T) {
	t.Parallel()
	m := start(t)
	first := m.head("main")
	odd := "odd/ \"quoted\" ä\\ name.tf"
	second := m.commit(gitrepo.Commit{Branch: "main", Message: "Change", Write: map[string]string{odd: "x", "prod/main.tf": ""}, Remove: []string{"staging"}})
	if got := m.paths(second); !slices.Equal(got, []string{odd, "prod/main.tf"}) {
		t.Errorf("files of the second commit: %q", got)
	}
	if got := m.paths(first); !slices.Equal(got, []string{"prod/main.tf", "staging/main.tf"}) {
		t.Errorf("files of the first commit: %q", got)
	}
	if got := m.text("main", odd) + m.text("main", "prod/main.tf") + m.text("main", "staging/main.tf"); got != "x-" {
		t.Errorf("contents are %q", got)
	}
	again, err := gitrepo.Open(m.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := again.Head("main"); err != nil || id != second {
		t.Errorf("the repository has the commit %s after it was opened again (%v), want %s", id, err, second)
	}
	if _, err := gitrepo.Open(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder was opened: %v", err)
	}
}

func TestRepositoryBeginsWithItsCommits(t *testing.T) {
	t.Parallel()
	r, err := gitrepo.Create(
		t.TempDir(),
		gitrepo.Commit{Branch: "main", Write: map[string]string{"a": "1"}},
		gitrepo.Commit{Branch: "change", From: "refs/heads/main", Write: map[string]string{"a": "2"}},
		gitrepo.Commit{Branch: "change", Write: map[string]string{"b": "3"}},
		gitrepo.Commit{Branch: "other", From: "refs/heads/main", Message: "Nothing"},
	)
	if err != nil {
		t.Fatal(err)
	}
	m := made{r, t}
	if got := m.text("main", "a") + m.text("change", "a") + m.text("change", "b") + m.text("other", "a") + m.text("other", "b"); got != "1231-" {
		t.Errorf("contents are %q", got)
	}
	for branch, commits := range map[string]int{"change": 2, "other": 1} {
		if new, err := m.Commits(m.head("main"), m.head(branch)); err != nil || len(new) != commits {
			t.Errorf("%s has the new commits %v (%v), want %d", branch, new, err, commits)
		}
	}
}

func TestEqualCommitsHaveEqualIDs(t *testing.T) {
	t.Parallel()
	a, b := start(t), start(t)
	if a.head("main") != b.head("main") {
		t.Error("two repositories with the same commit have different ids")
	}
	at := gitrepo.Signature{Name: "ann", At: time.Unix(1_800_000_000, 0)}
	x := a.commit(gitrepo.Commit{Branch: "main", Write: map[string]string{"a": "b"}, Signature: at})
	y := b.commit(gitrepo.Commit{Branch: "main", Write: map[string]string{"a": "b"}})
	if x == y {
		t.Error("the time and the author do not count")
	}
}

func TestUnknownNamesAreErrors(t *testing.T) {
	t.Parallel()
	m := start(t)
	none := "0123456789012345678901234567890123456789"
	_, head := m.Head("gone")
	_, files := m.Files(none)
	_, read := m.Read(m.head("main"), "gone")
	for what, err := range map[string]error{"branch": head, "commit": files, "file": read, "deletion": m.DeleteBranch("gone")} {
		if !errors.Is(err, gitrepo.ErrUnknown) {
			t.Errorf("%s: got %v, want ErrUnknown", what, err)
		}
	}
}

func TestMergeBaseIsWhereBranchesPart(t *testing.T) {
	t.Parallel()
	m := start(t)
	part := m.head("main")
	head := m.branch("change", "prod/main.tf", "one\ntwo\n3\n")
	main := m.commit(gitrepo.Commit{Branch: "main", Write: map[string]string{"staging/main.tf": "1\n"}})
	apart := m.commit(gitrepo.Commit{Branch: "apart", Write: map[string]string{"a": "b"}})
	for _, c := range []struct{ a, b, want string }{{main, head, part}, {head, main, part}, {main, part, part}, {main, apart, ""}} {
		if got, err := m.MergeBase(c.a, c.b); err != nil || got != c.want {
			t.Errorf("merge base of %s and %s: %s %v, want %s", c.a, c.b, got, err, c.want)
		}
	}
}

func TestMergesHaveTheChangesOfBothBranches(t *testing.T) {
	t.Parallel()
	for method, commits := range map[gitrepo.Method]int{gitrepo.MergeCommit: 3, gitrepo.Squash: 1, gitrepo.Rebase: 2} {
		t.Run(string(method), func(t *testing.T) {
			t.Parallel()
			m := start(t)
			m.branch("change", "prod/main.tf", "one\ntwo\n3\n")
			head := m.commit(gitrepo.Commit{Branch: "change", Message: "Add a file", Write: map[string]string{"new.tf": "new\n"}})
			before := m.commit(gitrepo.Commit{Branch: "main", Write: map[string]string{"prod/main.tf": "1\ntwo\nthree\n"}})
			made, err := m.Merge(gitrepo.Merge{Into: "main", Head: head, Method: method, Message: "Merge"})
			if err != nil {
				t.Fatal(err)
			}
			if m.head("main") != made || m.text("main", "prod/main.tf") != "1\ntwo\n3\n" || m.text("main", "new.tf") != "new\n" {
				t.Errorf("main is at %s, want %s, with the text %q", m.head("main"), made, m.text("main", "prod/main.tf"))
			}
			if new, err := m.Commits(before, made); err != nil || len(new) != commits {
				t.Errorf("main has the new commits %v (%v), want %d", new, err, commits)
			}
			if again, err := m.Merge(gitrepo.Merge{Into: "main", Head: made, Method: method}); err != nil || again != made {
				t.Errorf("a merge of what main has returned %s and %v", again, err)
			}
		})
	}
}

func TestConflictChangesNothing(t *testing.T) {
	t.Parallel()
	for _, method := range []gitrepo.Method{gitrepo.MergeCommit, gitrepo.Squash, gitrepo.Rebase} {
		t.Run(string(method), func(t *testing.T) {
			t.Parallel()
			m := start(t)
			head := m.branch("change", "prod/main.tf", "one\nour two\nthree\n")
			main := m.commit(gitrepo.Commit{Branch: "main", Write: map[string]string{"prod/main.tf": "one\ntheir two\nthree\n"}})
			for range 2 { // the second answer comes from memory
				if _, err := m.MergedTree(main, head); !errors.Is(err, gitrepo.ErrConflict) {
					t.Errorf("a test of the merge: got %v, want ErrConflict", err)
				}
			}
			if _, err := m.Merge(gitrepo.Merge{Into: "main", Head: head, Method: method}); !errors.Is(err, gitrepo.ErrConflict) {
				t.Errorf("got %v, want ErrConflict", err)
			}
			if m.head("main") != main {
				t.Error("the branch has moved")
			}
		})
	}
}

func TestBranchesComeMoveAndGo(t *testing.T) {
	t.Parallel()
	m := start(t)
	main := m.head("main")
	change := m.branch("feature/one", "a", "b")
	if err := m.SetBranch("feature/two", main); err != nil {
		t.Fatal(err)
	}
	if err := m.DeleteBranch("feature/one"); err != nil {
		t.Fatal(err)
	}
	if err := m.SetBranch("main", change); err != nil {
		t.Fatal(err)
	}
	all, err := m.Branches()
	if err != nil || len(all) != 2 || all["main"] != change || all["feature/two"] != main {
		t.Errorf("branches %v, %v", all, err)
	}
	if forced := m.commit(gitrepo.Commit{Branch: "main", From: main, Write: map[string]string{"c": "d"}}); m.head("main") != forced || m.text("main", "a") != "-" {
		t.Error("a commit with another parent did not move the branch")
	}
}

func TestCheckOutHasTheFilesOfTheCommit(t *testing.T) {
	t.Parallel()
	m := start(t)
	first := m.head("main")
	m.commit(gitrepo.Commit{Branch: "main", Remove: []string{"prod"}})
	folder := filepath.Join(t.TempDir(), "copy")
	if err := m.CheckOut(folder, first); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "prod", "main.tf")); err != nil || string(text) != "one\ntwo\nthree\n" {
		t.Errorf("the copy has %q, %v", text, err)
	}
}
