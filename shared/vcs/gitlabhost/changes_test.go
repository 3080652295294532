package gitlabhost_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// paths returns all paths that changes name.
func paths(changes []vcshost.FileChange) []string {
	names := map[string]bool{}
	for _, c := range changes {
		names[c.Path] = true
		if c.Previous != "" {
			names[c.Previous] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// everyKind changes the branch "feature" in each way that git knows, and the branch "main" after
// the two have parted. It returns the commits of the branches.
func everyKind(content *vcstest.Memory) (base, head string) {
	content.Commit("main", map[string][]byte{"changed": []byte("1"), "removed": []byte("2"), "moved": []byte("3"), "same": []byte("4")})
	start := content.CommitFiles("main", map[string]vcstest.File{"mode": {Mode: "100644", ID: "aa"}, "module": {Mode: "160000", ID: "bb"}})
	content.SetBranch("feature", start)
	content.Commit("feature", map[string][]byte{"changed": []byte("5"), "removed": nil, "moved": nil, "to": []byte("3"), "added/x": []byte("6")})
	head = content.CommitFiles("feature", map[string]vcstest.File{"mode": {Mode: "100755", ID: "aa"}, "module": {Mode: "160000", ID: "cc"}})
	return content.Commit("main", map[string][]byte{"elsewhere": []byte("7")}), head
}

var everyKindPaths = []string{"added/x", "changed", "mode", "module", "moved", "removed", "to"}

func TestChangesAreThoseSinceTheMergeBase(t *testing.T) {
	t.Parallel()
	client, host, content := withContent(t)
	base, head := everyKind(content)
	got, err := client.Changes(t.Context(), infra, base, head)
	if err != nil || !reflect.DeepEqual(paths(got), everyKindPaths) {
		t.Errorf("got %v, %v, want %v", got, err, everyKindPaths)
	}
	if !slices.Contains(got, vcshost.FileChange{Path: "to", Previous: "moved"}) {
		t.Errorf("the file that was moved does not have its previous path: %v", got)
	}
	if n := host.Asked("GET "); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	if got, err := client.Changes(t.Context(), infra, base, base); err != nil || len(got) != 0 {
		t.Errorf("of a commit with itself: %v, %v", got, err)
	}
}

func TestChangesAreCompleteWhereGitLabCutsOrFailsToCompare(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*vcstest.GitLab){
		"more files than the limit": func(host *vcstest.GitLab) { host.MaxDiff = 3 },
		"a comparison that fails":   func(host *vcstest.GitLab) { host.Fail(vcstest.Failure{Match: "/compare", Status: 500}) },
		"a comparison without end":  func(host *vcstest.GitLab) { host.Fail(vcstest.Failure{Match: "/compare"}) },
		"half a comparison": func(host *vcstest.GitLab) {
			host.Fail(vcstest.Failure{Match: "/compare", Status: 200, Body: `{"diffs":[`})
		},
		"a comparison without list": func(host *vcstest.GitLab) { host.Fail(vcstest.Failure{Match: "/compare", Status: 200, Body: `{}`}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, host, content := withContent(t)
			base, head := everyKind(content)
			cut(host)
			if got, err := client.Changes(t.Context(), infra, base, head); err != nil || !reflect.DeepEqual(paths(got), everyKindPaths) {
				t.Errorf("got %v, %v, want %v", got, err, everyKindPaths)
			}
		})
	}
}

func TestChangeOfThousandsOfFilesIsCompleteWithSixRequests(t *testing.T) {
	t.Parallel()
	client, host, content := withContent(t)
	base := content.Commit("main", many(4000))
	content.SetBranch("feature", base)
	changed := map[string][]byte{}
	for i := range 3000 {
		changed[fmt.Sprintf("dir%d/file%d.tf", i%7, i)] = []byte("changed")
	}
	head := content.Commit("feature", changed)
	want := slices.Sorted(maps.Keys(changed))
	if got, err := client.Changes(t.Context(), infra, base, head); err != nil || !reflect.DeepEqual(paths(got), want) {
		t.Errorf("got %d files, %v, want %d", len(got), err, len(want))
	}
	if n := host.Asked("GET "); n != 6 { // comparison, merge base, and two for each tree
		t.Errorf("asked %d times, want 6", n)
	}
}

func TestChangesAreNotGuessedIfGitLabRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		failure vcstest.Failure
		is      error
		asked   int
	}{
		"commit that is gone":      {vcstest.Failure{Match: "/compare", Status: 404, Body: `{}`}, vcshost.ErrGone, 1},
		"token that is refused":    {vcstest.Failure{Match: "/compare", Status: 401, Body: `{}`}, vcshost.ErrRefused, 1},
		"limit":                    {vcstest.Failure{Match: "/compare", Status: 429, Body: `{}`}, nil, 1},
		"file without a path":      {vcstest.Failure{Match: "/compare", Status: 200, Body: `{"diffs":[{"old_path":"a"}]}`}, nil, 1},
		"no common commit":         {vcstest.Failure{Match: "/merge_base", Status: 404, Body: `{}`}, vcshost.ErrGone, 2},
		"merge base without an id": {vcstest.Failure{Match: "/merge_base", Status: 200, Body: `{}`}, nil, 2},
		"tree that is refused":     {vcstest.Failure{Match: "/tree", Status: 403, Body: `{}`}, vcshost.ErrForbidden, 3},
	} {
		client, host, content := withContent(t)
		base, head := everyKind(content)
		host.MaxDiff = 3
		host.Fail(c.failure)
		if got, err := client.Changes(t.Context(), infra, base, head); err == nil || c.is != nil && !errors.Is(err, c.is) || host.Asked("GET ") != c.asked {
			t.Errorf("%s: got %v, %v after %d requests", name, got, err, host.Asked("GET "))
		}
	}
}
