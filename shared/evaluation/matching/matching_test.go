package matching_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
)

func config(t testing.TB, text string) *repoconfig.Config {
	t.Helper()
	c, err := repoconfig.LoadDefaultBranch(repoconfig.File{Name: "config.yml", Text: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func repository(t testing.TB, text string, files ...string) *matching.Repository {
	t.Helper()
	r, err := matching.New(matching.Input{Config: config(t, text), Files: files, Source: "feature/x", Destination: "main"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// dirspaces returns dirspaces as "DIR:WORKSPACE".
func dirspaces(r *matching.Repository) []string {
	var made []string
	for _, d := range r.Dirspaces {
		made = append(made, d.Dir+":"+d.Workspace)
	}
	return made
}

// layers returns the members of a change set, each layer as "LAYER DIR:WORKSPACE".
func layers(t testing.TB, r *matching.Repository, change matching.Change) []string {
	t.Helper()
	set, err := r.ChangeSet(change)
	if err != nil {
		t.Fatal(err)
	}
	made := []string{}
	for _, m := range set.Members {
		made = append(made, fmt.Sprintf("%d %s:%s", m.Layer, m.Dir, m.Workspace))
	}
	slices.Sort(made)
	return made
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestDirectoriesComeFromTheTreeAndTheConfiguration(t *testing.T) {
	t.Parallel()
	files := []string{"main.tf", "README.md", "a/x.tf", "a/b/y.tfvars", "c/readme", "modules/vpc/main.tf", "env/prod/net/main.tf", "env/prod/app/app.yaml"}
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"defaults", "", []string{".:default", "a:default", "a/b:default", "env/prod/net:default", "modules/vpc:default"}},
		{"a literal entry without a matching file", "dirs: {c: {}}", []string{".:default", "a:default", "a/b:default", "c:default", "env/prod/net:default", "modules/vpc:default"}},
		{"a directory that does not exist", "dirs: {zz: {}}\nwhen_modified: {file_patterns: []}", nil},
		{"no global patterns", "when_modified: {file_patterns: []}\ndirs: {a: {}, './c/': {}}", []string{"a:default", "c:default"}},
		{"a global pattern without the directory", "when_modified: {file_patterns: ['shared/*.tf']}", []string{
			".:default", "a:default", "a/b:default", "c:default", "env/prod/app:default", "env/prod/net:default", "modules/vpc:default",
		}},
		{"a global pattern with **", "when_modified: {file_patterns: ['${DIR}/**/*.tfvars']}", []string{".:default", "a:default", "a/b:default"}},
		{"an excluded name", "when_modified: {file_patterns: ['*.tf', '!main.tf']}", []string{
			".:default", "a:default", "a/b:default", "c:default", "env/prod/app:default", "env/prod/net:default", "modules/vpc:default",
		}},
		{"an excluded name in the directory", "when_modified: {file_patterns: ['*.tf', '!*main.tf']}", []string{"a:default"}},
		{"workspaces", "dirs: {a: {workspaces: {x: {}, w: {}}, stacks: {s: {}}}}\nwhen_modified: {file_patterns: []}", []string{"a:s", "a:w", "a:x"}},
		{"a pattern", "dirs: {'env/**': {workspaces: {p: {}}}}\nwhen_modified: {file_patterns: []}", []string{"env/prod/app:p", "env/prod/net:p"}},
		{"the longest pattern", "dirs: {'**': {workspaces: {all: {}}}, 'env/**/*.tf': {workspaces: {tf: {}}}, 'env/prod/app': {}}\nwhen_modified: {file_patterns: []}", []string{
			".:all", "a:all", "a/b:all", "c:all", "env/prod/app:default", "env/prod/net:tf", "modules/vpc:all",
		}},
	} {
		same(t, c.name, dirspaces(repository(t, c.text, files...)), c.want...)
	}
}

func TestChangedFilesSelectDirspaces(t *testing.T) {
	t.Parallel()
	files := []string{"a/main.tf", "a/prod.tfvars", "b/main.tf", "shared/x.json", "a[1]/main.tf"}
	text := `
dirs:
  a:
    workspaces: {prod: {when_modified: {file_patterns: ['${DIR}/*.tf', '${DIR}/${WORKSPACE}.tfvars']}}, test: {}}
    when_modified: {file_patterns: ['${DIR}/*.tf', '${DIR}/../shared/**', '!**/skip.*']}
`
	r := repository(t, text, files...)
	for file, want := range map[string][]string{
		"a/main.tf":      {"0 a:prod", "0 a:test"},
		"a/prod.tfvars":  {"0 a:prod"},
		"shared/x.json":  {"0 a:test"},
		"shared/skip.tf": {},
		"b/main.tf":      {"0 b:default"},
		"b/sub/main.tf":  {},
		"README.md":      {},
		"a[1]/main.tf":   {"0 a[1]:default"},
		"b/removed.tf":   {"0 b:default"},
	} {
		same(t, file, layers(t, r, matching.Change{Files: []string{file}}), want...)
	}
	set, err := r.ChangeSet(matching.Change{Files: []string{"a/prod.tfvars"}})
	if err != nil {
		t.Fatal(err)
	}
	if m := set.Members[0]; m.File != "a/prod.tfvars" || m.Pattern != "a/prod.tfvars" || m.Patterns.At.Line != 4 || m.Cause != matching.Direct {
		t.Errorf("got %+v", m)
	}
}

func TestTagsComeFromEverywhere(t *testing.T) {
	t.Parallel()
	r := repository(t, `
tags: {branch: {other: '^main$', mine: '^feature/', late: '.'}, dest_branch: {prod: main}}
dirs: {app: {tags: [apps], workspaces: {prod: {tags: [critical]}}, stacks: {blue: {}}}}
stacks: {names: {web: {tag_query: apps}, all: {stacks: [web]}, planet: {stacks: [all]}}}
`, "app/main.tf")
	got := r.Find(run.Dirspace{Dir: "app", Workspace: "prod"})
	same(t, "tags", got.Tags, "apps", "branch:mine", "critical", "dest_branch:prod", "dir:app", "stack_name:all", "stack_name:planet", "stack_name:web", "workspace:prod")
	if other := r.Find(run.Dirspace{Dir: "app", Workspace: "blue"}); !slices.Contains(other.Tags, "stack:blue") || slices.Contains(other.Tags, "workspace:blue") {
		t.Errorf("got %q", other.Tags)
	}
}

// TestTagQueriesSelectByMembership has the rows of the table of forms (orchestration,
// 5.2).
func TestTagQueriesSelectByMembership(t *testing.T) {
	t.Parallel()
	files := []string{"a/main.tf", "a/b/main.tf", "x/a b/main.tf"}
	for query, want := range map[string]bool{
		"":                      true,
		"dir:a/b":               true,
		"dir:a":                 false,
		"DIR:a/b":               false,
		"dir:a/*":               false,
		"dir:a/b and one":       true,
		"dir:a/b one":           true,
		"dir:a/b two":           false,
		"two or one":            true,
		"two and one or one":    true,
		"not two":               true,
		"not (one or two)":      false,
		"\"with space\"":        true,
		"'with space'":          true,
		"a in dir":              true,
		"b in dir":              true,
		"a/b in dir":            true,
		"c in dir":              false,
		"dir~a":                 true,
		"dir~/a/":               true,
		"dir~aa":                false,
		"NOT two AND one":       true,
		"workspace:default":     true,
		"stack_name:default":    true,
		"dir:a/b and not (one)": false,
	} {
		r := repository(t, "dirs: {a/b: {tags: [one, with space]}}\nworkflows: [{tag_query: '"+strings.ReplaceAll(query, "'", "''")+"'}]", files...)
		if got := r.Find(run.Dirspace{Dir: "a/b", Workspace: "default"}).Workflow == 0; got != want {
			t.Errorf("%q: got %t", query, got)
		}
	}
}

func TestFirstWorkflowThatMatchesIsUsed(t *testing.T) {
	t.Parallel()
	r := repository(t, `
workflows:
- {tag_query: 'dir:a', lock_policy: none, environment: '${ENV}-${other}', runs_on: big}
- {tag_query: 'dir:a or dir:b', lock_policy: merge}
stacks: {names: {s: {tag_query: 'dir:a', variables: {ENV: prod}}}}
`, "a/x.tf", "b/x.tf", "c/x.tf")
	for dir, want := range map[string]string{"a": "0 none prod-${other} \"big\"", "b": "1 merge  ", "c": "-1 strict  "} {
		d := r.Find(run.Dirspace{Dir: dir, Workspace: "default"})
		if got := fmt.Sprintf("%d %s %s %s", d.Workflow, d.LockPolicy, d.Environment, d.RunsOn); got != want {
			t.Errorf("%s: got %q, want %q", dir, got, want)
		}
	}
}

func TestInnerLevelDecidesWhenADirspaceIsPlanned(t *testing.T) {
	t.Parallel()
	r := repository(t, `
when_modified: {autoplan: false, autoapply: true, autoplan_draft_pr: false}
dirs: {a: {when_modified: {autoplan: true}, workspaces: {w: {when_modified: {autoapply: false}}, v: {}}}}
`, "a/x.tf", "b/x.tf")
	for d, want := range map[run.Dirspace]string{
		{Dir: "a", Workspace: "w"}: "true false false", {Dir: "a", Workspace: "v"}: "true true false", {Dir: "b", Workspace: "default"}: "false true false",
	} {
		got := r.Find(d)
		if text := fmt.Sprint(got.Autoplan, got.Autoapply, got.AutoplanDraft); text != want {
			t.Errorf("%s: got %s, want %s", d, text, want)
		}
	}
}

const worked = `
dirs:
  app:
    tags: [apps]
    workspaces: { staging: {}, prod: { tags: [critical] } }
    when_modified:
      depends_on: 'dir:network'
  modules/**:
    when_modified: { file_patterns: [] }
workflows:
  - tag_query: critical
    environment: production
    plan: [ { type: init }, { type: plan } ]
`

// TestWorkedExampleOfTheReference is orchestration, 8.6.
func TestWorkedExampleOfTheReference(t *testing.T) {
	t.Parallel()
	r := repository(t, worked, "network/main.tf", "app/main.tf", "app/prod.tfvars", "modules/vpc/main.tf", "README.md")
	same(t, "derive", dirspaces(r), "app:prod", "app:staging", "modules/vpc:default", "network:default")
	if d := r.Find(run.Dirspace{Dir: "modules/vpc", Workspace: "default"}); len(d.Patterns.Wanted) != 0 {
		t.Errorf("modules/vpc has the patterns %q", d.Patterns.Wanted)
	}
	prod := r.Find(run.Dirspace{Dir: "app", Workspace: "prod"})
	same(t, "tags", prod.Tags, "apps", "critical", "dir:app", "stack_name:default", "workspace:prod")
	if prod.Workflow != 0 || prod.Environment != "production" {
		t.Errorf("app/prod has the workflow %d and the environment %q", prod.Workflow, prod.Environment)
	}
	same(t, "diff of network", layers(t, r, matching.Change{Files: []string{"network/main.tf"}}), "0 network:default", "1 app:prod", "1 app:staging")
	same(t, "diff of README", layers(t, r, matching.Change{Files: []string{"README.md"}}))
	same(t, "diff of the module", layers(t, r, matching.Change{Files: []string{"modules/vpc/main.tf"}}))
}

func TestDependantsAreAddedTransitivelyAndLayered(t *testing.T) {
	t.Parallel()
	files := []string{"a/x.tf", "b/x.tf", "c/x.tf", "d/e/x.tf", "d/f/x.tf"}
	r := repository(t, `
dirs:
  b: {when_modified: {depends_on: 'dir:a'}}
  c: {when_modified: {depends_on: {tag_query: 'dir:b', prune_on_no_change: true}}}
  d/e: {when_modified: {depends_on: 'relative_dir:../f'}}
  d/f: {when_modified: {depends_on: 'not (d in dir) and dir:c'}}
`, files...)
	same(t, "from a", layers(t, r, matching.Change{Files: []string{"a/x.tf"}}), "0 a:default", "1 b:default", "2 d/f:default", "3 d/e:default")
	same(t, "c itself", layers(t, r, matching.Change{Files: []string{"c/x.tf"}}), "0 c:default", "1 d/f:default", "2 d/e:default")
	same(t, "b alone", layers(t, r, matching.Change{Files: []string{"d/e/x.tf"}}), "0 d/e:default")
	same(t, "applied before", layers(t, r, matching.Change{Applied: []run.Dirspace{{Dir: "d/f", Workspace: "default"}, {Dir: "gone", Workspace: "default"}}}),
		"0 d/f:default", "1 d/e:default")
	if got := layers(t, r, matching.Change{All: true}); len(got) != 5 {
		t.Errorf("everything: got %q", got)
	}
}

func TestStacksOrderDirspaces(t *testing.T) {
	t.Parallel()
	files := []string{"net/x.tf", "db/x.tf", "app/one/x.tf", "app/two/x.tf", "mon/x.tf"}
	r := repository(t, `
stacks:
  names:
    network: {tag_query: 'dir:net', variables: {A: net}}
    data: {tag_query: 'dir:db', rules: {modified_by: [network]}, variables: {A: db, B: db}}
    apps: {tag_query: 'app in dir', rules: {plan_after: [data], auto_apply: true, apply_after: [network]}}
    monitor: {tag_query: 'dir:mon', rules: {modified_by: [platform]}}
    platform: {stacks: [network, data], rules: {auto_apply: false, plan_after: [apps]}, variables: {A: out, C: out}}
`, files...)
	same(t, "network changed", layers(t, r, matching.Change{Files: []string{"net/x.tf"}}), "0 net:default", "1 db:default", "2 mon:default")
	same(t, "apps with data", layers(t, r, matching.Change{Files: []string{"db/x.tf"}}), "0 db:default", "1 mon:default")
	d := r.Find(run.Dirspace{Dir: "db", Workspace: "default"})
	if d.Variables["A"] != "db" || d.Variables["B"] != "db" || d.Variables["C"] != "out" || !d.InStack("platform") || d.InStack("apps") {
		t.Errorf("got %+v", d)
	}
	app := r.Find(run.Dirspace{Dir: "app/one", Workspace: "default"})
	if !r.AutoApply(app) || r.AutoApply(d) || !slices.Equal(r.ApplyAfter(app), []string{"network"}) {
		t.Errorf("auto_apply: %t, %t; apply_after %q", r.AutoApply(app), r.AutoApply(d), r.ApplyAfter(app))
	}
	// platform is planned after apps, and apps after data, which is in platform.
	_, err := r.ChangeSet(matching.Change{Files: files})
	var mistakes repoconfig.Mistakes
	if !errors.As(err, &mistakes) || !strings.Contains(err.Error(), "in a circle") || !strings.Contains(err.Error(), "db (default)") {
		t.Errorf("got %v", err)
	}
}

func TestDirspacesOfOneStackDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	r := repository(t, `
stacks: {names: {in: {tag_query: ''}, around: {stacks: [in], rules: {modified_by: [in]}}}}
`, "a/x.tf", "b/x.tf")
	same(t, "one", layers(t, r, matching.Change{Files: []string{"a/x.tf"}}), "0 a:default")
	same(t, "both", layers(t, r, matching.Change{All: true}), "0 a:default", "0 b:default")
}

func TestConfigurationThatDoesNotFitTheFilesIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"stacks: {names: {a: {tag_query: ''}, b: {tag_query: 'dir:d'}}}": "d (default) belongs to several stacks: a, b",
		"stacks: {names: {default: {tag_query: 'dir:x'}}}":               "d (default) belongs to no stack",
		"dirs: {d: {workspaces: {a: {}}, stacks: {a: {}}}}":              "d (a) stands twice",
	} {
		_, err := matching.New(matching.Input{Config: config(t, text), Files: []string{"d/x.tf"}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	r := repository(t, "dirs: {a: {when_modified: {depends_on: 'dir:b'}}, b: {when_modified: {depends_on: 'dir:a or dir:b'}}}", "a/x.tf", "b/x.tf")
	if _, err := r.ChangeSet(matching.Change{All: true}); err == nil || !strings.Contains(err.Error(), "a (default) after b (default) after a (default)") {
		t.Errorf("got %v", err)
	}
}

// TestSmallConfigurationCannotNameTooMuch has configurations of at most 1 MiB that stand for
// more than fits into the memory of a function.
func TestSmallConfigurationCannotNameTooMuch(t *testing.T) {
	t.Parallel()
	var files []string
	for i := range 1001 {
		files = append(files, fmt.Sprintf("d%d/x.tf", i))
	}
	// many returns a text for each number, with commas between them.
	many := func(n int, form string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, form+",", i)
		}
		return b.String()
	}
	// levels returns stacks that hold each of the two stacks of the level below.
	levels := func(n int) string {
		var b strings.Builder
		b.WriteString("stacks: {names: {s0a: {tag_query: 'dir:d0'}, s0b: {tag_query: 'dir:d1'}")
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, ", s%da: {stacks: [s%da, s%db]}, s%db: {stacks: [s%da, s%db]}", i, i-1, i-1, i, i-1, i-1)
		}
		return b.String() + "}}"
	}
	for text, want := range map[string]string{
		"dirs: {'**/*.tf': {workspaces: {" + many(19, "w%d: {}") + "}}}":                                "",
		"dirs: {'**/*.tf': {workspaces: {" + many(20, "w%d: {}") + "}}}":                                fmt.Sprintf("more than %d directories with workspaces", changeset.MaxMembers),
		"dirs: {'**/*.tf': {workspaces: {" + many(30_000, "w%d: {}") + "}}}":                            fmt.Sprintf("more than %d directories with workspaces", changeset.MaxMembers),
		"dirs: {'**/*.tf': {when_modified: {file_patterns: [" + many(1000, "'a%d'") + "]}}}":            "more than 1000000 file patterns",
		"when_modified: {file_patterns: ['${DIR}/*.tf', " + many(999, "'a%d'") + "]}":                   "more than 1000000 file patterns",
		"dirs: {'**/*.tf': {tags: [" + many(1000, "t%d") + "]}}":                                        "more than 1000000 tags",
		"stacks: {names: {s: {tag_query: 'dir:d0'}," + many(999, "s%d: {tag_query: 'dir:none'}") + "}}": fmt.Sprintf("more than %d stacks", changeset.MaxStacks-1),
		levels(20): "more than 1000 ways lead through other stacks",
		levels(10): "",
	} {
		r, err := matching.New(matching.Input{Config: config(t, text), Files: files})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60s: got %v, want %q", text, err, want)
		}
		if text == levels(10) && err == nil {
			if paths := r.Paths("s0a"); len(paths) != 512 || len(paths[0]) != 10 || paths[0][9] != "s0a" {
				t.Errorf("%d paths", len(paths))
			}
		}
	}
}

// BenchmarkChangeSet has 10,000 directories with 100,000 files, of which 3,000 changed.
func BenchmarkChangeSet(b *testing.B) {
	var files, changed []string
	for d := range 10_000 {
		for f := range 10 {
			files = append(files, fmt.Sprintf("env/%d/app%d/file%d.tf", d%100, d, f))
		}
		if d%10 < 3 {
			changed = append(changed, fmt.Sprintf("env/%d/app%d/file1.tf", d%100, d))
		}
	}
	c := config(b, `
dirs:
  'env/1*/**': {tags: [first], when_modified: {file_patterns: ['${DIR}/*.tf', 'modules/**/*.tf', '!**/*.md'], depends_on: 'dir:env/0/app0'}}
  'env/**/*.tf': {tags: [other], when_modified: {depends_on: 'relative_dir:../app0'}}
workflows: [{tag_query: 'first and not other'}, {tag_query: 'env/2 in dir'}]
stacks: {names: {one: {tag_query: 'env/1 in dir'}, rest: {tag_query: 'not (env/1 in dir)', rules: {plan_after: [one]}}}}
`)
	for b.Loop() {
		r, err := matching.New(matching.Input{Config: c, Files: files, Source: "feature/x", Destination: "main"})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.ChangeSet(matching.Change{Files: changed}); err != nil {
			b.Fatal(err)
		}
	}
}
