package explain_test

import (
	"fmt"
	"testing"

	"github.com/opsplane/opsplane/shared/evaluation/explain"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
)

func TestEachDirectoryHasAReason(t *testing.T) {
	t.Parallel()
	c, err := repoconfig.LoadDefaultBranch(repoconfig.File{Name: "config.yml", Text: []byte(`
dirs:
  app:
    when_modified: {depends_on: 'dir:net'}
  modules/vpc: {when_modified: {file_patterns: []}}
  docs: {when_modified: {file_patterns: ['${DIR}/*.md', '!${DIR}/x.md']}}
stacks:
  names:
    base: {tag_query: 'dir:net'}
    rest: {tag_query: 'not dir:net', rules: {}}
    last: {tag_query: 'dir:zz', rules: {modified_by: [base]}}
`)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := matching.New(matching.Input{Config: c, Files: []string{"net/main.tf", "app/main.tf", "modules/vpc/main.tf", "docs/x.md", "old/main.tf"}})
	if err != nil {
		t.Fatal(err)
	}
	set, err := r.ChangeSet(matching.Change{Files: []string{"net/main.tf", "docs/x.md"}, Applied: []run.Dirspace{{Dir: "old", Workspace: "default"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"app":         "true 2 its depends_on matches net (default), which is planned config.yml:4",
		"docs":        "false 0 no changed file matches docs/*.md without docs/x.md config.yml:6",
		"modules/vpc": "false 0 it has no patterns of files, so no change plans it config.yml:5",
		"net":         "true 1 net/main.tf changed, and the pattern net/*.tf matches it default",
		"old":         "true 1 this pull request applied it before, at another commit default",
	}
	for _, each := range explain.All(r, set) {
		if got := fmt.Sprintf("%t %d %s %s", each.Planned, each.Layer, each.Why, each.At); got != want[each.Dir] {
			t.Errorf("%s:\n got %s\nwant %s", each.Dir, got, want[each.Dir])
		}
		delete(want, each.Dir)
	}
	if len(want) > 0 {
		t.Errorf("no reason for %v", want)
	}
}
