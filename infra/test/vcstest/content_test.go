package vcstest_test

import (
	"fmt"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// text returns a content.
func text(s string) []byte { return []byte(s) }

func TestMemoryHasTheIdsOfGitAndForgetsNoCommit(t *testing.T) {
	t.Parallel()
	m := vcstest.NewMemory()
	first := m.Commit("main", map[string][]byte{"a": text("hello\n"), "b/c": text("2")})
	second := m.Commit("main", map[string][]byte{"a": nil, "d": text("3")})
	if files, ok := m.Files(first); !ok || fmt.Sprint(files) != "[{a 100644 ce013625030ba8dba906f756967f9e9ca394464a 6} {b/c 100644 d8263ee9860594d2806b0dfd1bfd17528b0ba2a4 1}]" {
		t.Errorf("got %v, %t", files, ok)
	}
	if content, ok := m.Read(first, "a"); !ok || string(content) != "hello\n" {
		t.Errorf("got %q, %t", content, ok)
	}
	if content, ok := m.Read(second, "a"); ok {
		t.Errorf("a removed file is %q", content)
	}
	if got, ok := m.Branch("main"); !ok || got != second {
		t.Errorf("the branch is at %s, %t", got, ok)
	}
}

func TestDifferencesNameWhatWasAddedChangedRemovedAndMoved(t *testing.T) {
	t.Parallel()
	m := vcstest.NewMemory()
	from := m.Commit("main", map[string][]byte{"changed": text("1"), "removed": text("2"), "moved": text("3"), "same": text("4")})
	to := m.Commit("main", map[string][]byte{"changed": text("5"), "removed": nil, "moved": nil, "to": text("3"), "added": text("6")})
	want := "[{added  added} {changed  modified} {removed  removed} {to moved renamed}]"
	if got := fmt.Sprint(vcstest.Differences(m, from, to)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMergeTakesBothSidesUnlessTheyDiffer(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"merge", "squash", "rebase"} {
		m := vcstest.NewMemory()
		base := m.Commit("main", map[string][]byte{"a": text("1"), "b": text("1")})
		m.SetBranch("feature", base)
		m.SetBranch("other", base)
		head := m.Commit("feature", map[string][]byte{"a": text("2")})
		crossing := m.Commit("other", map[string][]byte{"a": text("3")})
		tip := m.Commit("main", map[string][]byte{"b": text("2")})
		if got, ok := m.MergeBase(tip, head); !ok || got != base {
			t.Errorf("%s: the merge base is %s, %t, want %s", method, got, ok, base)
		}
		if !m.Mergeable(tip, head) {
			t.Errorf("%s: there is no conflict", method)
		}
		merged, ok := m.Merge("main", head, method, "title")
		if content, _ := m.Read(merged, "a"); !ok || string(content) != "2" {
			t.Errorf("%s: a is %q, %t", method, content, ok)
		}
		if content, _ := m.Read(merged, "b"); string(content) != "2" {
			t.Errorf("%s: b is %q", method, content)
		}
		if found, _ := m.MergeBase(merged, head); (found == head) != (method == "merge") {
			t.Errorf("%s: the merge base after it is %s", method, found)
		}
		if m.Mergeable(merged, crossing) {
			t.Errorf("%s: a conflict is mergeable", method)
		}
		if _, ok := m.Merge("main", crossing, method, "title"); ok {
			t.Errorf("%s: a conflict was merged", method)
		}
	}
}
