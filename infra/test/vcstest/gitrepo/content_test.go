package gitrepo_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/infra/test/vcstest/gitrepo"
)

// TestContentBehavesAsThatInMemory does the same with a real repository and with the one in
// memory, and compares what both show.
func TestContentBehavesAsThatInMemory(t *testing.T) {
	t.Parallel()
	story := func(c vcstest.Editable) (seen []string) {
		see := func(what string, values ...any) { seen = append(seen, what+": "+fmt.Sprint(values...)) }
		names := map[string]string{} // of commits, whose ids differ
		see("no branch", second(c.Branch("main")))
		base := c.Commit("main", map[string][]byte{"a": []byte("1\n"), "b/c": []byte("2\n"), "moved": []byte("3\n")})
		for _, branch := range []string{"feature", "crossing"} {
			c.SetBranch(branch, base)
		}
		feature := c.Commit("feature", map[string][]byte{"a": []byte("4\n"), "moved": nil, "to": []byte("3\n")})
		crossing := c.Commit("crossing", map[string][]byte{"a": []byte("5\n")})
		tip := c.Commit("main", map[string][]byte{"b/c": nil})
		names[base], names[feature], names[crossing], names[tip] = "base", "feature", "crossing", "tip"
		files, ok := c.Files(feature)
		see("files", files, ok)
		see("differences", vcstest.Differences(c, base, feature))
		text, ok := c.Read(feature, "to")
		see("read", string(text), ok, second(c.Read(feature, "moved")))
		common, ok := c.MergeBase(tip, feature)
		see("merge base", names[common], ok)
		see("mergeable", c.Mergeable(tip, feature), c.Mergeable(feature, crossing))
		merged, ok := c.Merge("main", feature, "squash", "Title")
		files, _ = c.Files(merged)
		see("merged", files, ok, second(c.Merge("main", crossing, "merge", "Title")), second(c.Merge("gone", crossing, "merge", "Title")))
		at, ok := c.Branch("main")
		see("main", at == merged, ok)
		see("deleted", c.DeleteBranch("feature"), c.DeleteBranch("feature"), second(c.Branch("feature")))
		return seen
	}
	r, err := gitrepo.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want := story(vcstest.NewMemory())
	for i, got := range story(gitrepo.Content{Repository: r}) {
		if got != want[i] {
			t.Errorf("got  %s\nwant %s", got, want[i])
		}
	}
}

// second returns the second of two values.
func second[T any](_ T, ok bool) bool { return ok }

func TestContentReportsThatGitFails(t *testing.T) {
	t.Parallel()
	m := start(t)
	main := m.head("main")
	if err := os.RemoveAll(m.Dir); err != nil {
		t.Fatal(err)
	}
	var reported error
	c := gitrepo.Content{Repository: m.Repository, Report: func(err error) { reported = err }}
	if _, ok := c.Branch("main"); ok || reported == nil || errors.Is(reported, gitrepo.ErrUnknown) {
		t.Errorf("a repository that is gone: got %t and the report %v", ok, reported)
	}
	if reported = nil; c.Mergeable(main, main) || reported == nil {
		t.Error("a merge in it is possible")
	}
}
