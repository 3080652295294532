package manifest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/run/plancommand"
	"github.com/opsplane/opsplane/shared/vcs"
)

const token = "opsr_a-long-random-token-000000000000"

// work is a plan of two dirspaces of a pull request.
func work(of run.Type) manifest.Work {
	first := 0
	return manifest.Work{
		Type: of, Installation: vcs.Installation{VCS: "github", ID: "4711"}, Kind: run.Kind{Name: run.PullRequest, Number: 42, Title: "x"},
		BaseBranch: "main", APIBase: "https://tf.example.org/api",
		Config: json.RawMessage(`{"version":"1","workflows":[{"tag_query":"a < b","plan":[{"type":"init"},{"type":"plan"}]}]}`),
		Dirspaces: []manifest.Dirspace{
			{Dirspace: run.Dirspace{Dir: "net", Workspace: "default"}},
			{Dirspace: run.Dirspace{Dir: "app", Workspace: "prod"}, Stack: "apps", Workflow: &first, Variables: map[string]string{"REGION": "eu-central-1", "A": "b"}},
		},
	}
}

func build(t testing.TB, w manifest.Work) string {
	t.Helper()
	text, err := manifest.Build(w)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// members returns the members of the document that a runner gets.
func members(t testing.TB, w manifest.Work) map[string]any {
	t.Helper()
	text, err := manifest.WithToken([]byte(build(t, w)), token)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

const dirspaces = `"changed_dirspaces":[{"path":"net","workspace":"default","rank":0,"stack_name":"default"},` +
	`{"path":"app","workspace":"prod","rank":0,"stack_name":"apps","workflow":0,"variables":{"A":"b","REGION":"eu-central-1"}}]`

const config = `"config":{"cost_estimation":{"enabled":false},"version":"1","workflows":[{"plan":[{"type":"init"},{"type":"plan"}],"tag_query":"a < b"}]}`

func TestDocumentOfAPlan(t *testing.T) {
	t.Parallel()
	w := work(run.Plan)
	want := `{"type":"plan","result_version":2,"protocol_version":1,"installation_id":"4711","api_base_url":"https://tf.example.org/api/github",` +
		`"base_ref":"main","run_kind":"pr","run_kind_data":{"id":"42"},"capabilities":[],` + dirspaces + `,"dirspaces":[],"base_dirspaces":[],` + config + `}`
	if got := build(t, w); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	w.Before, w.After = []run.Dirspace{{Dir: "old", Workspace: "default"}}, []run.Dirspace{{Dir: "net", Workspace: "default"}, {Dir: ".", Workspace: "x"}}
	got := members(t, w)
	for name, want := range map[string]string{
		"base_dirspaces": "[map[path:old workspace:default]]", "dirspaces": "[map[path:net workspace:default] map[path:. workspace:x]]",
	} {
		if fmt.Sprint(got[name]) != want {
			t.Errorf("%s: got %v, want %s", name, got[name], want)
		}
	}
}

func TestDocumentOfAnApplyLacksTheDirspacesOfTheRepository(t *testing.T) {
	t.Parallel()
	want := `{"type":"apply","result_version":2,"protocol_version":1,"installation_id":"4711","api_base_url":"https://tf.example.org/api/github",` +
		`"base_ref":"main","run_kind":"pr","run_kind_data":{"id":"42"},"capabilities":[],` + dirspaces + `,` + config + `}`
	if got := build(t, work(run.Apply)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestDocumentsOfIndexAndBuilders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		of           run.Type
		dirs         []string
		config, want string
	}{
		{run.Index, []string{"net", "app"}, `{"indexer":{"enabled":true}}`, `{"type":"index","base_ref":"main","dirs":["net","app"],"config":{"indexer":{"enabled":true}}}`},
		{run.Index, nil, ``, `{"type":"index","base_ref":"main","dirs":[],"config":{}}`},
		{
			run.BuildConfig, nil, `{"config_builder":{"enabled":true,"script":"a && b"}}`,
			`{"type":"build-config","base_ref":"main","config":{"config_builder":{"enabled":true,"script":"a && b"}}}`,
		},
		{run.BuildTree, nil, `{"tree_builder":{"enabled":true,"script":"x"}}`, `{"type":"build-tree","base_ref":"main","config":{"tree_builder":{"enabled":true,"script":"x"}}}`},
	} {
		w := manifest.Work{Type: c.of, BaseBranch: "main", Config: json.RawMessage(c.config), Dirs: c.dirs}
		if got := build(t, w); got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
	if got := string(manifest.Done()); got != `{"type":"done"}` {
		t.Errorf("done is %s", got)
	}
}

// TestEveryTypeHasTheMembersOfTheProtocol has the rows of section 6.1 of the runner
// protocol, and check 5 of its section 17.
func TestEveryTypeHasTheMembersOfTheProtocol(t *testing.T) {
	t.Parallel()
	both, plan := []run.Type{run.Plan, run.Apply}, []run.Type{run.Plan}
	builders := []run.Type{run.BuildConfig, run.BuildTree}
	all := append([]run.Type{run.Plan, run.Apply, run.Index}, builders...)
	rows := map[string][]run.Type{
		"type": all, "token": all, "config": all, "base_ref": all, "result_version": both, "changed_dirspaces": both,
		"dirspaces": plan, "base_dirspaces": plan, "dirs": {run.Index}, "capabilities": both, "run_kind": both, "run_kind_data": both,
		"installation_id": both, "api_base_url": both, "protocol_version": both,
	}
	for _, of := range all {
		w := work(of)
		w.Config = json.RawMessage(`{"config_builder":{"enabled":true,"script":"x"},"tree_builder":{"enabled":true,"script":"x"},"workflows":[{}]}`)
		got := members(t, w)
		for name, types := range rows {
			want := false
			for _, each := range types {
				want = want || each == of
			}
			value, has := got[name]
			if has != want || has && value == nil {
				t.Errorf("%s: %s is %v (%t), want it: %t", of, name, value, has, want)
			}
			delete(got, name)
		}
		if len(got) > 0 {
			t.Errorf("%s has also %v", of, got)
		}
	}
}

func TestOldTypesAreGivenAsToday(t *testing.T) {
	t.Parallel()
	for of, want := range map[run.Type]string{run.AutoPlan: "plan", run.AutoApply: "apply"} {
		if got := members(t, work(of))["type"]; got != want {
			t.Errorf("%s: got %v", of, got)
		}
	}
}

func TestOnlyAPullRequestHasData(t *testing.T) {
	t.Parallel()
	for _, name := range []run.KindName{run.Drift, run.Branch} {
		w := work(run.Plan)
		w.Kind = run.Kind{Name: name}
		got := members(t, w)
		if _, has := got["run_kind_data"]; has || got["run_kind"] != string(name) {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestAddressHasTheNameOfTheVCS(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{"https://h/api": "https://h/api/gitlab", "https://h/api/": "https://h/api/gitlab"} {
		w := work(run.Plan)
		w.APIBase, w.Installation.VCS = base, "gitlab"
		if got := members(t, w)["api_base_url"]; got != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

// TestCostsAreEstimatedOnlyIfAskedForAndPossible is check 6 of section 17.
func TestCostsAreEstimatedOnlyIfAskedForAndPossible(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config string
		proxy  bool
		want   string
	}{
		{``, false, `{"cost_estimation":{"enabled":false}}`},
		{`{}`, true, `{"cost_estimation":{"enabled":false}}`},
		{`{"cost_estimation":{"enabled":true,"currency":"EUR"}}`, true, `{"cost_estimation":{"currency":"EUR","enabled":true}}`},
		{`{"cost_estimation":{"enabled":true,"currency":"EUR"}}`, false, `{"cost_estimation":{"currency":"EUR","enabled":false}}`},
		{`{"cost_estimation":{"enabled":false}}`, true, `{"cost_estimation":{"enabled":false}}`},
		{`{"cost_estimation":{"enabled":null}}`, true, `{"cost_estimation":{"enabled":false}}`},
		{`{"cost_estimation":null}`, true, `{"cost_estimation":{"enabled":false}}`},
	} {
		w := work(run.Plan)
		w.Config, w.CostProxy, w.Dirspaces = json.RawMessage(c.config), c.proxy, nil
		if got := build(t, w); !strings.HasSuffix(got, `"config":`+c.want+`}`) {
			t.Errorf("%s with proxy %t: got %s", c.config, c.proxy, got)
		}
	}
}

func TestPlansAreUploadedUnlessTheConfigurationSaysOtherwise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		of      run.Type
		uploads bool
		config  string
		want    string
	}{
		{run.Plan, false, ``, ``},
		{run.Plan, true, ``, `{"plans":uploads}`},
		{run.Plan, true, `{"storage":{"plans":null,"x":1}}`, `{"plans":uploads,"x":1}`},
		{run.Plan, true, `{"storage":{"plans":{"method":"s3","bucket":"b","region":"r"}}}`, `{"plans":{"bucket":"b","method":"s3","region":"r"}}`},
		{run.Apply, true, ``, ``},
	} {
		w := work(c.of)
		w.Config, w.PlanUploads, w.Dirspaces = json.RawMessage(c.config), c.uploads, nil
		uploads, err := json.Marshal(plancommand.Storage("https://tf.example.org/api/github"))
		if err != nil {
			t.Fatal(err)
		}
		var want any
		if c.want != "" {
			if err := json.Unmarshal([]byte(strings.ReplaceAll(c.want, "uploads", string(uploads))), &want); err != nil {
				t.Fatal(err)
			}
		}
		config := members(t, w)["config"].(map[string]any)
		if !reflect.DeepEqual(config["storage"], want) {
			t.Errorf("%s of %s: got %v, want %v", c.of, c.config, config["storage"], want)
		}
	}
}

func TestConfigurationHoldsNoNull(t *testing.T) {
	t.Parallel()
	w := work(run.Index)
	w.Config = json.RawMessage(`{"a":null,"b":{"c":null,"d":[null,1,{"e":null}],"f":[[null]]},"g":"null","n":1e999,"m":12345678901234567890.10}`)
	if got := build(t, w); !strings.HasSuffix(got, `"config":{"b":{"d":[1,{}],"f":[[]]},"g":"null","m":12345678901234567890.10,"n":1e999}}`) {
		t.Errorf("got %s", got)
	}
}

func drawConfig(t *rapid.T, depth int) any {
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 2).Draw(t, "kind")
	}
	switch kind {
	case 1:
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) any { return drawConfig(t, depth-1) }), 0, 3).Draw(t, "list")
	case 2:
		return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "dirs", "hooks"}), rapid.Custom(func(t *rapid.T) any { return drawConfig(t, depth-1) }), 0, 3).Draw(t, "object")
	}
	return rapid.SampledFrom([]any{nil, true, "x", 7.5}).Draw(t, "scalar")
}

func TestSameWorkMakesTheSameBytesWithoutNull(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, err := json.Marshal(map[string]any{"x": drawConfig(t, 4)})
		if err != nil {
			t.Fatal(err)
		}
		w := work(run.Plan)
		w.Config, w.Dirspaces = text, w.Dirspaces[:1]
		first, err := manifest.Build(w)
		if err != nil {
			t.Fatal(err)
		}
		again, err := manifest.Build(w)
		if err != nil || !bytes.Equal(first, again) || bytes.Contains(first, []byte("null")) {
			t.Fatalf("%s made %s, then %s, %v", text, first, again, err)
		}
		w.Config = []byte(strings.SplitAfter(string(first), `"config":`)[1])
		w.Config = w.Config[:len(w.Config)-1]
		if again, err := manifest.Build(w); err != nil || !bytes.Equal(first, again) {
			t.Fatalf("%s, built from its own configuration, became %s, %v", first, again, err)
		}
	})
}

func TestTokenStandsOnlyInTheResponse(t *testing.T) {
	t.Parallel()
	frozen := []byte(build(t, work(run.Plan)))
	before := bytes.Clone(frozen)
	for _, token := range []string{token, `"quoted" <token> \ of é, which is long enough`} {
		response, err := manifest.WithToken(frozen, token)
		if err != nil {
			t.Fatal(err)
		}
		var got, want map[string]any
		if json.Unmarshal(response, &got) != nil || json.Unmarshal(frozen, &want) != nil {
			t.Fatalf("%s is no JSON", response)
		}
		want["token"] = token
		if !reflect.DeepEqual(got, want) || !bytes.Equal(frozen, before) || bytes.Contains(frozen, []byte("token")) {
			t.Errorf("got %s from %s", response, frozen)
		}
		again, err := manifest.WithToken(frozen, token)
		if err != nil || !bytes.Equal(response, again) {
			t.Errorf("the second response is %s, %v", again, err)
		}
	}
	for _, short := range []string{"", "t1", token[:manifest.MinToken-1]} {
		if got, err := manifest.WithToken(frozen, short); err == nil {
			t.Errorf("the token %q was taken: %s", short, got)
		}
	}
	if got, err := manifest.WithToken(nil, token); err == nil {
		t.Errorf("no document became %s", got)
	}
}

func TestWorkThatARunnerCannotDoIsRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*manifest.Work){
		"unsafe apply":                func(w *manifest.Work) { w.Type = run.UnsafeApply },
		`unknown type "destroy"`:      func(w *manifest.Work) { w.Type = "destroy" },
		"no base branch":              func(w *manifest.Work) { w.BaseBranch = "" },
		"not JSON":                    func(w *manifest.Work) { w.Config = json.RawMessage(`{`) },
		"followed by":                 func(w *manifest.Work) { w.Config = json.RawMessage(`{} {}`) },
		"must be a JSON object":       func(w *manifest.Work) { w.Config = json.RawMessage(`null`) },
		"config.workflows[1] is null": func(w *manifest.Work) { w.Config = json.RawMessage(`{"workflows":[{},null]}`) },
		"config.storage must be an": func(w *manifest.Work) {
			w.PlanUploads, w.Config = true, json.RawMessage(`{"storage":"s3","workflows":[{}]}`)
		},
		"cost_estimation must be an": func(w *manifest.Work) { w.Config = json.RawMessage(`{"cost_estimation":true,"workflows":[{}]}`) },
		"enabled must be a boolean": func(w *manifest.Work) {
			w.Config = json.RawMessage(`{"cost_estimation":{"enabled":"no"},"workflows":[{}]}`)
		},
		"app (prod) has the workflow 0": func(w *manifest.Work) { w.Config = nil },
		"config.config_builder.enabled": func(w *manifest.Work) { w.Type = run.BuildConfig },
		"config.tree_builder.script is m": func(w *manifest.Work) {
			w.Type, w.Config = run.BuildTree, json.RawMessage(`{"tree_builder":{"enabled":true}}`)
		},
	} {
		w := work(run.Plan)
		change(&w)
		if got, err := manifest.Build(w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %s, %v", want, got, err)
		}
	}
}
