package work_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/work"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/vcs"
)

var repository = vcs.Installation{VCS: vcs.GitHub, ID: "4711"}.Repository("7")

// spec is a run of pull request 42, before it has what a batch says.
func spec() run.Spec {
	return run.Spec{
		ID: run.NewID(), Repository: repository, Owner: "acme", Name: "infra", Type: run.Plan, Kind: run.Kind{Name: run.PullRequest, Number: 42, Title: "Add app"},
		Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"}, TagQuery: "dir:app", User: "bob", Principal: "github:bob",
	}
}

// decided returns a configuration, and the batches of the plan of all files.
func decided(t interface {
	Helper()
	Fatal(...any)
}, config string, files ...string,
) (*repoconfig.Config, []rules.Batch) {
	t.Helper()
	c, err := repoconfig.LoadDefaultBranch(repoconfig.File{Name: "config.yml", Text: []byte(config)})
	if err != nil {
		t.Fatal(config, err)
	}
	r, err := matching.New(matching.Input{Config: c, Files: files, Source: "feature", Destination: "main"})
	if err != nil {
		t.Fatal(err)
	}
	set, err := r.ChangeSet(matching.Change{All: true})
	if err != nil {
		t.Fatal(err)
	}
	return c, rules.Batches(set.Members, c.Batch)
}

// example is the configuration of orchestration, 8.6, with a stack.
const example = `
dirs:
  app:
    tags: [apps]
    workspaces: { staging: {}, prod: { tags: [critical] } }
stacks: { names: { apps: { tag_query: 'dir:app', variables: { REGION: eu-central-1 } }, all: { stacks: [apps], variables: { REGION: x, A: b } } } }
workflows:
  - tag_query: critical
    environment: production-${REGION}
    runs_on: [self-hosted, linux]
    plan: [ { type: init }, { type: plan } ]
definitions: { unused: null }
`

func TestRunsCarryWhatTheConfigurationSays(t *testing.T) {
	t.Parallel()
	config, batches := decided(t, example, "network/main.tf", "app/main.tf")
	if len(batches) != 2 {
		t.Fatal(batches)
	}
	network := run.Dirspace{Dir: "network", Workspace: "default"}
	staging, prod := run.Dirspace{Dir: "app", Workspace: "staging"}, run.Dirspace{Dir: "app", Workspace: "prod"}
	variables := map[string]string{"REGION": "eu-central-1", "A": "b"}
	want := spec()
	for i, c := range []struct {
		environment, runsOn string
		told                []manifest.Dirspace
	}{
		{"", "", []manifest.Dirspace{{Dirspace: staging, Stack: "apps", Variables: variables}, {Dirspace: network, Stack: "default", Variables: map[string]string{}}}},
		{"production-eu-central-1", `["self-hosted","linux"]`, []manifest.Dirspace{{Dirspace: prod, Stack: "apps", Variables: variables, Workflow: new(0)}}},
	} {
		got, err := work.Order(want, batches[i], config)
		if err != nil {
			t.Fatal(err)
		}
		of := want
		of.Environment, of.RunsOn, of.DirspaceCount = c.environment, c.runsOn, len(c.told)
		for _, d := range c.told {
			of.Dirspaces = append(of.Dirspaces, d.Dirspace)
		}
		if !reflect.DeepEqual(got.Spec, of) || !reflect.DeepEqual(got.Dirspaces, c.told) {
			t.Errorf("%d: got %+v", i, got)
		}
		if text := string(got.Config); strings.Contains(text, "null") || !strings.Contains(text, `"workflows":[{"environment":"production-${REGION}"`) {
			t.Errorf("%d: got the configuration %s", i, text)
		}
	}
}

func TestRunThatIsNotPossibleIsRefused(t *testing.T) {
	t.Parallel()
	config, batches := decided(t, "{}", "a/x.tf")
	batches[0].Environment = strings.Repeat("e", run.MaxText+1)
	if _, err := work.Order(spec(), batches[0], config); err == nil || !strings.Contains(err.Error(), "the environment of the run has 1001 bytes") {
		t.Errorf("an environment that no run can hold: %v", err)
	}
	if _, err := work.Order(spec(), rules.Batch{}, config); err == nil || !strings.Contains(err.Error(), "has no dirspaces") {
		t.Errorf("no dirspaces: %v", err)
	}
}

// TestRunnerFindsEachDirspaceAsItWasDecided makes the document of every run, and reads it
// as a runner does.
func TestRunnerFindsEachDirspaceAsItWasDecided(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var files []string
		var config strings.Builder
		config.WriteString("workflows: [")
		dirs := rapid.IntRange(1, 6).Draw(t, "dirs")
		for i := range rapid.IntRange(0, 3).Draw(t, "workflows") {
			fmt.Fprintf(&config, "{tag_query: 'dir:d%d', environment: e%d, plan: [{type: run, cmd: [echo, w%d]}]}, ", rapid.IntRange(0, dirs).Draw(t, "of"), rapid.IntRange(0, 1).Draw(t, "environment"), i)
		}
		config.WriteString("]\ndirs: {")
		for i := range dirs {
			files = append(files, fmt.Sprintf("d%d/x.tf", i))
			if rapid.Bool().Draw(t, "workspaces") {
				fmt.Fprintf(&config, "d%d: {workspaces: {x: {}, y: {}}}, ", i)
			}
		}
		fmt.Fprintf(&config, "}\nbatch_runs: {enabled: %t, max_workspaces_per_batch: %d}\n", rapid.Bool().Draw(t, "batch"), rapid.IntRange(0, 3).Draw(t, "most"))
		config.WriteString("stacks: {names: {s: {tag_query: 'dir:d0', variables: {V: s}}}}\n")
		c, batches := decided(t, config.String(), files...)
		for _, b := range batches {
			o, err := work.Order(spec(), b, c)
			if err != nil {
				t.Fatal(config.String(), err)
			}
			text, err := manifest.Build(manifest.Work{
				Type: o.Spec.Type, Installation: repository.Installation, Kind: o.Spec.Kind, BaseBranch: o.Spec.Base.Branch, APIBase: "https://ops.example/api",
				Config: o.Config, Dirspaces: o.Dirspaces,
			})
			if err != nil {
				t.Fatal(config.String(), err)
			}
			var read struct {
				Changed []struct {
					Path, Workspace string
					Stack           string `json:"stack_name"`
					Workflow        *int
					Variables       map[string]string
				} `json:"changed_dirspaces"`
				Config struct {
					Workflows []struct {
						Query       string `json:"tag_query"`
						Environment string
						Plan        []struct{ Cmd []string }
					}
				}
			}
			if err := json.Unmarshal(text, &read); err != nil {
				t.Fatal(err)
			}
			if len(read.Changed) != len(b.Members) || len(read.Changed) != o.Spec.DirspaceCount {
				t.Fatalf("the runner works on %d dirspaces, want %d", len(read.Changed), len(b.Members))
			}
			for n, got := range read.Changed {
				m := b.Members[n]
				want := run.Dirspace{Dir: got.Path, Workspace: got.Workspace}
				if m.Dirspace.Dirspace != want || o.Spec.Dirspaces[n] != want || got.Stack != m.Stack || got.Variables["V"] != m.Variables["V"] {
					t.Fatalf("got %+v, want %+v", got, m.Dirspace)
				}
				if (got.Workflow == nil) != (m.Workflow == matching.NoWorkflow) {
					t.Fatalf("%s has the workflow %v, want %d", want, got.Workflow, m.Workflow)
				}
				if got.Workflow == nil {
					continue
				}
				w := read.Config.Workflows[*got.Workflow]
				if w.Query != "dir:"+got.Path || w.Environment != o.Spec.Environment || w.Plan[0].Cmd[1] != fmt.Sprint("w", m.Workflow) {
					t.Fatalf("%s runs %+v in %q", want, w, o.Spec.Environment)
				}
			}
		}
	})
}
