package repository

import (
	"testing"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// TestWhatIsRemovedHereIsForgotten checks the items, for each order of the facts.
func TestWhatIsRemovedHereIsForgotten(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	yes := true
	seen := func(id string) vcs.Description {
		return vcs.Description{ID: vcs.ID(id), Owner: "acme", Name: "secret-plans", Private: &yes, Archived: &yes, Setup: &yes, DefaultBranch: "main"}
	}
	for id, tell := range map[string][]func(id string) error{
		"1": {func(id string) error {
			return s.Apply(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, seen(id), "1")
		}},
		"2": {func(id string) error {
			return s.Given(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, seen(id), "1")
		}},
		"3": {
			func(id string) error {
				return s.Given(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, seen(id), "2")
			},
			func(id string) error {
				return s.Describe(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, seen(id), "1", "")
			},
		},
	} {
		for _, fact := range tell {
			if err := fact(id); err != nil {
				t.Fatal(err)
			}
		}
		for n, want := range []bool{true, false} { // the second time it is gone already
			if done, err := s.Remove(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(id)), "5", nil); err != nil || done != want {
				t.Errorf("repository %s, removal %d: %t, %v", id, n, done, err)
			}
		}
		left := item(t, s, "42", id)
		if !attr.Read(left).Bool("gone") {
			t.Fatalf("repository %s: %v", id, left)
		}
		for _, name := range []string{
			"owner", "name", "by_name", "branch", "private", "archived", "setup", "listed_owner", "listed_name", "before_owner", "before_name",
		} {
			if value, ok := left[name]; ok {
				t.Errorf("repository %s: %s is kept: %v", id, name, value)
			}
		}
		if err := s.Apply(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, seen(id), "6"); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(t.Context(), vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(id))); err != nil || got.Name != "secret-plans" || !got.Setup || !got.Archived {
			t.Errorf("repository %s came back as %+v, %v", id, got, err)
		}
	}
}
