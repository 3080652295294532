package work_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/work"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

var repository = vcs.Installation{VCS: vcs.GitHub, ID: "4711"}.Repository("7")

// origin returns a pull request with a configuration, and the runs that plan all of its
// files.
func origin(t interface {
	Helper()
	Fatal(...any)
}, config string, files ...string,
) (work.Origin, []decide.NewRun) {
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
	var runs []decide.NewRun
	for _, b := range rules.Batches(set.Members, c.Batch) {
		runs = append(runs, decide.NewRun{Type: run.Plan, Batch: b})
	}
	place, err := command.OnPullRequest(repository, vcshost.PullRequest{
		Number: 42, Title: "Add app", Open: true, From: "7", BaseBranch: "main", BaseSHA: "aa", Branch: "feature", SHA: "bb",
	})
	if err != nil {
		t.Fatal(err)
	}
	return work.Origin{
		Repository: repository, Described: vcs.Description{ID: "7", Owner: "acme", Name: "infra"}, Place: place, Config: c,
		TagQuery: "dir:app", User: "bob", Principal: "webhook:github",
	}, runs
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
	from, runs := origin(t, example, "network/main.tf", "app/main.tf")
	orders, err := work.Orders(from, runs)
	if err != nil || len(orders) != 2 {
		t.Fatal(orders, err)
	}
	network := run.Dirspace{Dir: "network", Workspace: "default"}
	staging, prod := run.Dirspace{Dir: "app", Workspace: "staging"}, run.Dirspace{Dir: "app", Workspace: "prod"}
	variables := map[string]string{"REGION": "eu-central-1", "A": "b"}
	spec := run.Spec{
		ID: orders[0].Spec.ID, Repository: repository, Owner: "acme", Name: "infra", Type: run.Plan, Kind: run.Kind{Name: run.PullRequest, Number: 42, Title: "Add app"},
		Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"}, TagQuery: "dir:app", User: "bob", Principal: "webhook:github",
		Dirspaces: []run.Dirspace{staging, network}, DirspaceCount: 2,
	}
	if got := orders[0]; !reflect.DeepEqual(got.Spec, spec) || !reflect.DeepEqual(got.Dirspaces, []manifest.Dirspace{{Dirspace: staging, Stack: "apps", Variables: variables}, {Dirspace: network, Stack: "default", Variables: map[string]string{}}}) {
		t.Errorf("got %+v", got)
	}
	spec.ID, spec.Environment, spec.RunsOn, spec.Dirspaces, spec.DirspaceCount = orders[1].Spec.ID, "production-eu-central-1", `["self-hosted","linux"]`, []run.Dirspace{prod}, 1
	if got := orders[1]; !reflect.DeepEqual(got.Spec, spec) || !reflect.DeepEqual(got.Dirspaces, []manifest.Dirspace{{Dirspace: prod, Stack: "apps", Variables: variables, Workflow: new(0)}}) {
		t.Errorf("got %+v", got)
	}
	if orders[0].Spec.ID == orders[1].Spec.ID || string(orders[0].Config) != string(orders[1].Config) || strings.Contains(string(orders[0].Config), "null") || !strings.Contains(string(orders[0].Config), `"workflows":[{"environment":"production-${REGION}"`) {
		t.Errorf("the orders have the ids %s and %s, and the configuration %s", orders[0].Spec.ID, orders[1].Spec.ID, orders[0].Config)
	}
}

// TestRunsAfterTheMergeWorkOnTheDestination has orchestration, 6.
func TestRunsAfterTheMergeWorkOnTheDestination(t *testing.T) {
	t.Parallel()
	from, runs := origin(t, "{}", "a/x.tf")
	from.Place = command.AfterMerge(vcshost.PullRequest{Number: 42, Title: "Add app", Merged: true, BaseBranch: "main", BaseSHA: "aa", Branch: "feature", SHA: "bb"}, vcshost.Branch{Name: "main", SHA: "cc"})
	orders, err := work.Orders(from, runs)
	if err != nil {
		t.Fatal(err)
	}
	s := orders[0].Spec
	if s.Base != (run.Ref{Branch: "main", Commit: "aa"}) || s.Source != (run.Ref{Branch: "main", Commit: "cc"}) || s.Origin() != run.OriginOfPullRequest(42) || s.Kind.Title != "Add app" {
		t.Errorf("got %+v", s)
	}
}

func TestTextsThatAreOnlyShownAreCut(t *testing.T) {
	t.Parallel()
	from, runs := origin(t, "{}", "a/x.tf")
	from.TagQuery, from.User = strings.Repeat("ü", run.MaxTagQuery), strings.Repeat("ü", run.MaxText)
	orders, err := work.Orders(from, runs)
	if err != nil || len(orders[0].Spec.TagQuery) > run.MaxTagQuery || len(orders[0].Spec.User) > run.MaxText {
		t.Errorf("got %v", err)
	}
	runs[0].Batch.Environment = strings.Repeat("e", run.MaxText+1)
	if _, err := work.Orders(from, runs); err == nil || !strings.Contains(err.Error(), "order run 1 of 1: the environment") {
		t.Errorf("an environment that no run can hold: %v", err)
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
		from, runs := origin(t, config.String(), files...)
		orders, err := work.Orders(from, runs)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range orders {
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
			if len(read.Changed) != len(runs[i].Batch.Members) || len(read.Changed) != o.Spec.DirspaceCount {
				t.Fatalf("the runner works on %d dirspaces, want %d", len(read.Changed), len(runs[i].Batch.Members))
			}
			for n, got := range read.Changed {
				m := runs[i].Batch.Members[n]
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
