package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/repoconfig"
)

func load(t *testing.T, text string) *repoconfig.Config {
	t.Helper()
	c, err := repoconfig.LoadDefaultBranch(repoconfig.File{Name: "config.yml", Text: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPoliciesDecideWhoMayDoWhat has the rules of orchestration, 22.
func TestPoliciesDecideWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	r, _ := repository(t, "", "a/x.tf", "b/x.tf", "c/x.tf")
	const policies = `access_control: {policies: [
{tag_query: 'dir:a', plan: ['user:bob'], apply: ['role:admin'], apply_with_superapproval: ['team:dev'], superapproval: ['user:boss']},
{tag_query: 'dir:a or dir:b', apply_force: ['*'], apply: []}]}`
	for _, c := range []struct {
		text     string
		o        rules.Operation
		login    string
		approver string
		want     string // the denied directories
	}{
		{"", rules.OpApplyForce, "zoe", "", ""},
		{"access_control: {enabled: false}", rules.OpApply, "zoe", "", ""},
		{"access_control: {}", rules.OpPlan, "zoe", "", "a b c"},
		{policies, rules.OpPlan, "Bob", "", "c"},
		{policies, rules.OpPlan, "eve", "", "a c"},
		{policies, rules.OpApply, "eve", "", "b c"},
		{policies, rules.OpApply, "bob", "", "a b c"},
		{policies, rules.OpApply, "bob", "boss", "b c"},
		{policies, rules.OpApply, "bob", "eve", "a b c"},
		{policies, rules.OpApply, "zoe", "boss", "a b c"},
		{policies, rules.OpApplyForce, "zoe", "", "a c"},
		{policies, rules.OpApplyAutoapprove, "eve", "", "a b c"},
	} {
		people := rules.People{"bob": {Role: "write", Teams: []string{"dev"}}, "eve": {Role: "admin"}}
		actor := rules.Actor{Login: c.login, People: people, Approvers: strings.Fields(c.approver)}
		var got []string
		for _, d := range rules.Access(load(t, c.text).AccessControl, c.o, r.Dirspaces, actor) {
			got = append(got, d.Dir)
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s: %s by %s, approved by %q: denied %q, want %q", c.text, c.o, c.login, c.approver, text, c.want)
		}
	}
}

func TestFilesMayBeChangedByThoseWhoAreNamed(t *testing.T) {
	t.Parallel()
	a := load(t, "access_control: {terrateam_config_update: ['user:bob'], ci_config_update: [], files: {secrets.tf: ['role:admin']}, unlock: ['user:bob']}").AccessControl
	const ci = ".github/workflows/terrateam.yml"
	changed := []string{repoconfig.Path, ci, "secrets.tf", "other.tf"}
	for login, want := range map[string]int{"bob": 2, "eve": 2, "zoe": 3} {
		actor := rules.Actor{Login: login, People: rules.People{"eve": {Role: "admin"}}}
		if got := rules.FileAccess(a, changed, ci, actor); len(got) != want {
			t.Errorf("%s: denied %+v", login, got)
		}
		if got := rules.MayUnlock(a, actor); got != (login == "bob") {
			t.Errorf("%s may unlock: %t", login, got)
		}
	}
}

func TestAllWorkflowsCountAsFilesOfTheCI(t *testing.T) {
	t.Parallel()
	a := load(t, "access_control: {ci_config_update: ['user:bob']}").AccessControl
	changed := []string{".github/CODEOWNERS", ".github/workflows/deep/x.yml", ".github/workflows/evil.yml", ".gitlab-ci.yml", "x/.github/workflows/y.yml"}
	for ci, want := range map[string][]string{
		".github/workflows/terrateam.yml": {".github/workflows/deep/x.yml", ".github/workflows/evil.yml"}, ".gitlab-ci.yml": {".gitlab-ci.yml"},
	} {
		var got []string
		for _, each := range rules.FileAccess(a, changed, ci, rules.Actor{Login: "eve"}) {
			got = append(got, each.Path)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", ci, got, want)
		}
		if got := rules.FileAccess(a, changed, ci, rules.Actor{Login: "bob"}); got != nil {
			t.Errorf("%s: bob may not change %v", ci, got)
		}
	}
}

func TestDestinationBranches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		list, destination, source string
		want                      bool
	}{
		{"", "main", "f", true},
		{"", "release", "f", false},
		{"destination_branches: []", "main", "f", false},
		{"destination_branches: [main, 'release/*']", "Release/1/x", "f", true},
		{"destination_branches: [main, 'release/*']", "dev", "f", false},
		{"destination_branches: ['*', '!dev*']", "dev2", "f", false},
		{"destination_branches: ['*', '!dev*']", "main", "f", true},
		{"destination_branches: ['!dev']", "main", "f", true},
		{"destination_branches: ['a*b*c']", "axbyc", "f", true},
		{"destination_branches: ['a*b*c']", "axcyb", "f", false},
		{"destination_branches: ['ab*ba']", "aba", "f", false},
		{"destination_branches: [{branch: main, source_branches: ['hotfix/*', '!hotfix/x']}]", "main", "hotfix/1", true},
		{"destination_branches: [{branch: main, source_branches: ['hotfix/*', '!hotfix/x']}]", "main", "hotfix/x", false},
		{"destination_branches: [{branch: main, source_branches: ['hotfix/*']}]", "main", "f", false},
	} {
		if got := rules.DestinationAllowed(load(t, c.list).Destinations, "main", c.destination, c.source); got != c.want {
			t.Errorf("%s: %s into %s: got %t", c.list, c.source, c.destination, got)
		}
	}
}
