package standing_test

import (
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// TestRemovalLeavesNothingOfItsOwn removes a few items at a time.
func TestRemovalLeavesNothingOfItsOwn(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := over(env)
	other := vcs.Installation{VCS: vcs.GitHub, ID: "420"}
	for _, on := range []vcs.Repository{installation.Repository("7"), installation.Repository("70"), other.Repository("7")} {
		r := plan("a", "b", "c")
		r.Type, r.Kind, r.Repository = run.Apply, run.Kind{Name: run.PullRequest, Number: 3}, on
		outputs := map[run.Dirspace]standing.Outputs{}
		for _, d := range r.Dirspaces {
			outputs[d] = standing.Outputs{}
		}
		for _, name := range []string{"infra", "renamed"} {
			r.Name = name
			r.Seq++
			if err := s.Record(t.Context(), r, outputs, ends); err != nil {
				t.Fatal(err)
			}
		}
	}
	const itemsOfOne = 3*3 + 2
	left := func() int { return len(strings.Split(strings.TrimSpace(env.Dump("RunsTable")), "\n")) }
	if got := left(); got != 3*itemsOfOne {
		t.Fatalf("there are %d items: %s", got, env.Dump("RunsTable"))
	}
	for finished := false; !finished; {
		var err error
		if finished, err = s.RemoveRepository(t.Context(), installation.Repository("7"), 2); err != nil {
			t.Fatal(err)
		}
	}
	if got := left(); got != 2*itemsOfOne {
		t.Errorf("after the removal of a repository, %d items are left", got)
	}
	for finished := false; !finished; {
		var err error
		if finished, err = s.RemoveInstallation(t.Context(), installation, 2); err != nil {
			t.Fatal(err)
		}
	}
	if got := env.Dump("RunsTable"); left() != itemsOfOne || strings.Contains(got, "#42#") || strings.Contains(got, "#42 ") {
		t.Errorf("after the removal of an installation: %s", got)
	}
}

// TestRemovalOfAnInstallationFindsItemsWithoutAName leaves what a run leaves that ends while
// its repository is removed.
func TestRemovalOfAnInstallationFindsItemsWithoutAName(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := over(env)
	r := plan("a", "b")
	r.Type, r.Kind, r.Repository = run.Apply, run.Kind{Name: run.PullRequest, Number: 3}, installation.Repository("7")
	outputs := map[run.Dirspace]standing.Outputs{r.Dirspaces[0]: {}, r.Dirspaces[1]: {}}
	if err := s.Record(t.Context(), r, outputs, ends); err != nil {
		t.Fatal(err)
	}
	names := table.Query{Key: []table.Condition{table.Equal("pk", attr.String("STANDREPOS#github#42"))}, Names: []string{"pk", "sk"}}
	keys, err := s.Table.All(t.Context(), names)
	if err == nil && len(keys) != 1 {
		t.Fatalf("the repository has %d names", len(keys))
	}
	if err == nil {
		err = s.Table.BatchDelete(t.Context(), keys, nil)
	}
	for finished := false; err == nil && !finished; {
		finished, err = s.RemoveInstallation(t.Context(), installation, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := env.Dump("RunsTable"); got != "" {
		t.Errorf("left: %s", got)
	}
}
