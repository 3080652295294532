package result_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run/result"
)

func decode(t testing.TB, body string) *result.Result {
	t.Helper()
	r, err := result.Decode([]byte(body))
	if err != nil {
		t.Fatalf("%.200s: %v", body, err)
	}
	return r
}

// net is the scope of the dirspace that most tests use.
const (
	net  = `{"type":"dirspace","dir":"net","workspace":"default"}`
	pre  = `{"type":"run","flow":"hooks","subflow":"pre"}`
	post = `{"type":"run","flow":"hooks","subflow":"post"}`
)

func step(name, scope string, success bool, payload string) string {
	return fmt.Sprintf(`{"step":%q,"success":%t,"ignore_errors":false,"scope":%s,"payload":%s}`, name, success, scope, payload)
}

func body(steps ...string) string { return `{"steps":[` + strings.Join(steps, ",") + `]}` }

func TestStepsAreReadInTheirOrder(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"steps":[
		{ "step": "auth/update-terrateam-github-token", "success": true, "ignore_errors": false,
		  "scope": { "type": "run", "flow": "hooks", "subflow": "pre" }, "payload": { "visible_on": "error" } },
		{ "step": "tf/plan", "success": false, "ignore_errors": true, "location": null,
		  "scope": { "type": "dirspace", "dir": "net", "workspace": "default" }, "payload": { "text": "a\nb" } } ] }`)
	want := []result.Step{
		{Name: "auth/update-terrateam-github-token", Success: true, Scope: result.Scope{Type: "run", Flow: "hooks", Subflow: "pre"}, Length: 22},
		{Name: "tf/plan", IgnoreErrors: true, Scope: result.Scope{Type: "dirspace", Dir: "net", Workspace: "default"}, Offset: 22, Length: 15},
	}
	if r.Kind != result.Steps || !r.Success || !reflect.DeepEqual(r.Steps, want) {
		t.Errorf("got %+v", r)
	}
	if got := string(r.Payload(r.Steps[0])) + " " + string(r.Payload(r.Steps[1])); got != `{"visible_on":"error"} {"text":"a\nb"}` {
		t.Errorf("payloads %s", got)
	}
}

// TestPayloadOfEveryKindOfStepIsKept has a payload of each row of section 12.1 of
// the runner protocol, for success and for failure.
func TestPayloadOfEveryKindOfStepIsKept(t *testing.T) {
	t.Parallel()
	for name, payloads := range map[string][]string{
		"tf/init": {`{"text":"ok","visible_on":"error"}`},
		"tf/plan": {
			`{"plan":"+   resource","text":"  + resource","has_changes":true,"visible_on":"always"}`, `{"text":"Error: x","visible_on":"always"}`,
		},
		"tf/apply": {
			`{"text":"ok","outputs":{"id":{"sensitive":false,"type":"string","value":"i-1"}},"visible_on":"always"}`,
			`{"text":"ok","visible_on":"always"}`, `{"text":"half","error":"boom","visible_on":"always"}`,
		},
		"run":                {`{"cmd":["ls","-l"],"exit_code":0,"text":"x","stderr":"y","visible_on":"always","format":"diff"}`, `{"cmd":["false"],"exit_code":1,"text":"x","visible_on":"failure"}`},
		"env":                {`{"cmd":["env"],"method":"exec","text":""}`},
		"auth/oidc":          {`{}`, `{"text":"no role"}`},
		"tf/cost-estimation": {`{"summary":{"prev_monthly_cost":1.50,"total_monthly_cost":2e3,"diff_monthly_cost":0.5},"currency":"USD","dirspaces":[{"dir":"net","workspace":"default","total_monthly_cost":-0.0}]}`, `{"text":"no price"}`},
		"tf/checkov":         {`{"text":"passed","cmd":["checkov"],"visible_on":"always"}`},
		"tf/conftest":        {`{"text":"passed","visible_on":"success"}`},
		"tf/opa":             {`{"text":"passed","visible_on":"odd"}`},
		"gates":              {`{"visible_on":"failure","text":"no gates"}`},
		"plan":               {`{}`},
	} {
		for _, payload := range payloads {
			for _, success := range []bool{true, false} {
				r := decode(t, body(step(name, net, success, payload)))
				if got := string(r.Payload(r.Steps[0])); got != payload {
					t.Errorf("%s: got %s, want %s", name, got, payload)
				}
				if r.Success != success || r.Dirspaces[0].Success != success {
					t.Errorf("%s: success %t and %t, want %t", name, r.Success, r.Dirspaces[0].Success, success)
				}
			}
		}
	}
}

func TestAbsentMembersThatDoNotDecideAreFilledIn(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"gates":null,"steps":[
		{"step":"a","success":true,"scope":{"dir":"net","workspace":"default"}},
		{"step":"b","success":true,"scope":{"flow":"hooks","subflow":"pre"},"payload":null,"ignore_errors":null},
		{"step":"c","success":true,"scope":{"type":"stack","dir":null,"name":"x"},"payload":{}}]}`)
	want := []result.Step{
		{Name: "a", Success: true, Scope: result.Scope{Type: "dirspace", Dir: "net", Workspace: "default"}, Length: 2},
		{Name: "b", Success: true, Scope: result.Scope{Type: "run", Flow: "hooks", Subflow: "pre"}, Offset: 2, Length: 2},
		{Name: "c", Success: true, Scope: result.Scope{Type: "stack"}, Offset: 4, Length: 2},
	}
	if !reflect.DeepEqual(r.Steps, want) || string(r.Payloads) != "{}{}{}" || len(r.Dirspaces) != 1 {
		t.Errorf("got %+v", r)
	}
}

func truth(b *bool) string {
	if b == nil {
		return "unknown"
	}
	return fmt.Sprint(*b)
}

func TestOutcomesFollowFromTheSteps(t *testing.T) {
	t.Parallel()
	ignored := strings.Replace(step("run", net, false, "{}"), `"ignore_errors":false`, `"ignore_errors":true`, 1)
	app := `{"type":"dirspace","dir":"app","workspace":"default"}`
	for name, c := range map[string]struct {
		body, overall, pre, post, dirspaces string
	}{
		"all passed":              {body(step("a", pre, true, "{}"), step("b", net, true, "{}"), step("c", post, true, "{}")), "true", "true", "true", "net default true"},
		"only a failed pre-hook":  {body(step("a", pre, true, "{}"), step("b", pre, false, "{}")), "false", "false", "unknown", ""},
		"a failed post-hook":      {body(step("a", net, true, "{}"), step("c", post, false, "{}"), step("c", post, true, "{}")), "false", "unknown", "false", "net default true"},
		"one of two dirspaces":    {body(step("a", net, true, "{}"), step("a", app, false, "{}"), step("b", net, true, "{}")), "false", "unknown", "unknown", "net default true, app default false"},
		"ignored errors":          {body(ignored, step("b", net, true, "{}")), "true", "unknown", "unknown", "net default true"},
		"no step":                 {body(), "false", "unknown", "unknown", ""},
		"a scope of another type": {body(step("a", net, true, "{}"), step("b", `{"type":"stack"}`, false, "{}")), "false", "unknown", "unknown", "net default true"},
		"another flow":            {body(step("a", `{"type":"run","flow":"other","subflow":"pre"}`, false, "{}")), "false", "unknown", "unknown", ""},
		"two workspaces": {
			body(step("a", net, true, "{}"), step("a", strings.Replace(net, "default", "prod", 1), false, "{}")),
			"false", "unknown", "unknown", "net default true, net prod false",
		},
	} {
		r := decode(t, c.body)
		var dirspaces []string
		for _, d := range r.Dirspaces {
			dirspaces = append(dirspaces, fmt.Sprintf("%s %s %t", d.Dir, d.Workspace, d.Success))
		}
		got := []string{fmt.Sprint(r.Success), truth(r.Hooks.Pre), truth(r.Hooks.Post), strings.Join(dirspaces, ", ")}
		if want := []string{c.overall, c.pre, c.post, c.dirspaces}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestGatesMayHaveNulls(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"steps":[],"gates":[
		{"all_of":["user:a"],"any_of":["team:b","team:c"],"any_of_count":1,"token":"t","name":"n","dir":"net","workspace":"default"},
		{"all_of":null,"any_of":[],"any_of_count":null,"token":null,"name":null,"dir":null,"workspace":null},
		{}]}`)
	want := []result.Gate{{AllOf: []string{"user:a"}, AnyOf: []string{"team:b", "team:c"}, AnyOfCount: 1, Token: "t", Name: "n", Dir: "net", Workspace: "default"}, {}, {}}
	if !reflect.DeepEqual(r.Gates, want) {
		t.Errorf("got %+v", r.Gates)
	}
}

// A step may print anything as its gates, and an apply has happened by then.
func TestUnreadableGateKeepsTheResult(t *testing.T) {
	t.Parallel()
	const steps = `{"steps":[{"step":"tf/apply","success":true,"scope":{"type":"run"},"payload":{}}],"gates":`
	for gates, name := range map[string]string{
		`[{"any_of_count":"1"}]`:          `unreadable gate: .any_of_count must be a whole number that is not negative`,
		`[{"any_of_count":-1}]`:           `unreadable gate: .any_of_count must be a whole number that is not negative`,
		`[{"any_of_count":1e99}]`:         `unreadable gate: .any_of_count must be a whole number that is not negative`,
		`[{"all_of":"alice"}]`:            `unreadable gate: .all_of must be an array, but it is a string`,
		`[{"any_of":["a",1],"name":"n"}]`: `unreadable gate: .any_of[1] must be a string, but it is a number`,
		`[{"token":{}}]`:                  `unreadable gate: .token must be a string, but it is an object`,
		`[{"name":"a","name":"b"}]`:       `unreadable gate: .name is there twice`,
		`["alice"]`:                       `unreadable gate: must be an object, but it is a string`,
		`"alice"`:                         `unreadable gate: must be an array, but it is a string`,
	} {
		r := decode(t, steps+gates+`}`)
		if want := []result.Gate{{AnyOfCount: 1, Name: name}}; !r.Success || len(r.Steps) != 1 || !reflect.DeepEqual(r.Gates, want) {
			t.Errorf("%s: got %d steps, success %t, gates %+v", gates, len(r.Steps), r.Success, r.Gates)
		}
	}
	r := decode(t, steps+`[{"any_of_count":"1"},{"all_of":["user:a"]}]}`)
	if len(r.Gates) != 2 || !reflect.DeepEqual(r.Gates[1], result.Gate{AllOf: []string{"user:a"}}) {
		t.Errorf("with a gate that can be read: got %+v", r.Gates)
	}
}

func TestIndexIsRead(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"version":1,"success":true,"symlinks":{"envs/prod":"envs/base"},"paths":{
		"app":{"modules":["modules/vpc"],"failures":{}},
		"net":{"failures":{"main.tf":{"msg":"odd \u0000","lnum":7},"x.tf":{"msg":"odder"}}}}}`)
	line := 7
	want := result.IndexContent{
		Symlinks: map[string]string{"envs/prod": "envs/base"},
		Paths: map[string]result.IndexedPath{
			"app": {Modules: []string{"modules/vpc"}, Failures: map[string]result.IndexFailure{}},
			"net": {Failures: map[string]result.IndexFailure{"main.tf": {Message: "odd ␀", Line: &line}, "x.tf": {Message: "odder"}}},
		},
	}
	if r.Kind != result.Index || !r.Success || r.Message != "" || !reflect.DeepEqual(r.Index, want) {
		t.Errorf("got %+v", r)
	}
}

func TestFailuresOfBuildersAndIndexersHaveAMessage(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]result.Result{
		`{"paths":{},"version":1,"success":false}`:   {Kind: result.Index, Message: "the indexer failed", Index: result.IndexContent{Paths: map[string]result.IndexedPath{}}},
		`"panic: no such file\n"`:                    {Kind: result.Index, Message: "panic: no such file"},
		` "" `:                                       {Kind: result.Index, Message: "no reason was given"},
		`"` + strings.Repeat("é", 3000) + `"`:        {Kind: result.Index, Message: strings.Repeat("é", 2048)},
		`{"msg":"[Errno 32] Broken pipe"}`:           {Kind: result.BuilderFailure, Message: "[Errno 32] Broken pipe"},
		`{"config":null}`:                            {Kind: result.Config, Message: "the configuration must be an object, but it is null"},
		`{"config":[1]}`:                             {Kind: result.Config, Message: "the configuration must be an object, but it is an array"},
		`{"config": { "outputs": {"a": "\u0000"} }}`: {Kind: result.Config, Success: true, Config: json.RawMessage(`{"outputs":{"a":"\u2400"}}`)},
	} {
		if got := decode(t, body); !reflect.DeepEqual(*got, want) {
			t.Errorf("%.60s: got %+v, want %+v", body, got, want)
		}
	}
}

func TestFilesOfATreeLoseTheirLeadingSlash(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"files":[{"path":"a/main.tf","id":"abc","changed":true},{"path":"/b/main.tf","id":"d"},{"path":"//c","id":"","changed":null}]}`)
	changed := true
	want := []result.File{{Path: "a/main.tf", ID: "abc", Changed: &changed}, {Path: "b/main.tf", ID: "d"}, {Path: "c"}}
	if r.Kind != result.Tree || !r.Success || !reflect.DeepEqual(r.Files, want) {
		t.Errorf("got %+v", r)
	}
}

func TestFirstKnownMemberDecidesWhatABodyIs(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]result.Kind{
		`{"steps":[],"paths":{},"success":true,"msg":"x"}`:                         result.Steps,
		`{"overall":{"success":true},"dirspaces":[],"msg":"x"}`:                    result.Steps,
		`{"overall":{"success":true},"paths":{},"success":true}`:                   result.Index,
		`{"paths":{},"success":true,"files":[]}`:                                   result.Index,
		`{"files":[],"config":{}}`:                                                 result.Tree,
		`{"config":{},"msg":"x"}`:                                                  result.Config,
		`{"msg":"x","other":1}`:                                                    result.BuilderFailure,
		`{"st\u0065ps":[]}`:                                                        result.Steps,
		`{"result_version":2,"steps":[],"gates":[],"capabilities":{"steps":[{}]}}`: result.Steps,
	} {
		if got := decode(t, body).Kind; got != want {
			t.Errorf("%s: got %d, want %d", body, got, want)
		}
	}
}

func TestRefusalsNameTheMember(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	valid := step("a", net, true, "{}")
	with := func(member string) string {
		return body(valid, `{"step":"a","scope":`+net+`,"success":true,`+member+`}`)
	}
	for in, want := range map[string]string{
		``:                                    "the body is not JSON: unexpected end of JSON input",
		`{"steps":[}`:                         "the body is not JSON: invalid character '}' looking for beginning of value",
		"{\"steps\":[\"\x00\"]":               "the body is not JSON",
		`{"msg":"\x"}`:                        "the body is not JSON",
		`{} {}`:                               "the body is not JSON",
		`{}`:                                  "the body has none of the members steps, overall and dirspaces, paths, files, config, msg",
		`{"Steps":[]}`:                        "the body has none of the members",
		`7`:                                   "the body must be an object, but it is a number",
		`null`:                                "the body must be an object, but it is null",
		`[]`:                                  "the body must be an object, but it is an array",
		`{"steps":null}`:                      "steps must be an array, but it is null",
		`{"steps":{}}`:                        "steps must be an array, but it is an object",
		`{"steps":[],"steps":[{"step":"x"}]}`: "steps is there twice",
		`{"steps":[7]}`:                       "steps[0] must be an object, but it is a number",
		body(valid, `{}`):                     "steps[1].step must be a string, but it is absent",
		with(`"step":"b"`):                    "steps[1].step is there twice",
		with(`"success":false`):               "steps[1].success is there twice",
		with(`"payload":"x"`):                 "steps[1].payload must be an object, but it is a string",
		with(`"ignore_errors":"true"`):        "steps[1].ignore_errors must be a boolean, but it is a string",
		with(`"payload":{"x":` + deep(result.MaxDepth) + `}`):                                 "steps[1].payload has arrays and objects that are nested more than 256 deep",
		`{"steps":` + deep(10_001) + `}`:                                                      "the body is not JSON: invalid character '[' exceeded max depth",
		body(`{"step":"a","success":1,"scope":` + net + `}`):                                  "steps[0].success must be a boolean, but it is a number",
		body(`{"step":"a","success":null,"scope":` + net + `}`):                               "steps[0].success must be a boolean, but it is null",
		body(`{"step":"a","success":true}`):                                                   "steps[0].scope must be an object, but it is absent",
		body(`{"step":"a","success":true,"scope":{}}`):                                        "steps[0].scope.type is missing",
		body(`{"step":"a","success":true,"scope":{"type":7}}`):                                "steps[0].scope.type must be a string, but it is a number",
		body(`{"step":"a","success":true,"scope":{"type":"dirspace"}}`):                       "steps[0].scope of the type dirspace needs the members dir and workspace",
		body(`{"step":"` + strings.Repeat("é", 51) + `","success":true}`):                     "steps[0].step has 102 bytes; at most 100 are possible",
		body(step("a", `{"dir":"`+strings.Repeat("d", 513)+`","workspace":"w"}`, true, "{}")): "steps[0].scope.dir has 513 bytes; at most 512 are possible",
		body(step("a", `{"dir":"d","workspace":"`+strings.Repeat("d", 129)+`"}`, true, "{}")): "steps[0].scope.workspace has 129 bytes; at most 128 are possible",
		`{"overall":7,"dirspaces":[]}`:                                                        "overall must be an object, but it is a number",
		`{"overall":{},"dirspaces":[]}`:                                                       "overall.success must be a boolean, but it is absent",
		`{"overall":{"success":true,"outputs":{"pre":[{}]}},"dirspaces":[]}`:                  "overall.outputs.pre[0].workflow_step must be an object, but it is absent",
		`{"overall":{"success":true,"outputs":{"post":{}}},"dirspaces":[]}`:                   "overall.outputs.post must be an array, but it is an object",
		`{"overall":{"success":true},"dirspaces":[{"path":"a"}]}`:                             "dirspaces[0].workspace must be a string, but it is absent",
		`{"overall":{"success":true},"dirspaces":[{"path":"a","workspace":"b","success":true,"outputs":[{"workflow_step":{"type":"x"},"success":true,"outputs":7}]}]}`: "dirspaces[0].outputs[0].outputs must be an object, but it is a number",
		`{"paths":{}}`:                                   "success must be a boolean, but it is absent",
		`{"paths":[],"success":true}`:                    "paths must not be a JSON array",
		`{"paths":{"a":{"modules":7}},"success":true}`:   "paths.modules must not be a JSON number",
		`{"paths":{},"symlinks":"x","success":true}`:     "symlinks must not be a JSON string",
		`{"files":{}}`:                                   "files must be an array, but it is an object",
		`{"files":[{"path":"a","id":"b"},{"path":"/"}]}`: "files[1].path is empty",
		`{"files":[{"path":"a"}]}`:                       "files[0].id must be a string, but it is absent",
		`{"files":[{"path":"a","id":"b","changed":1}]}`:  "files[0].changed must be a boolean, but it is a number",
		`{"config":` + strings.Repeat(`{"a":`, 257) + `1` + strings.Repeat(`}`, 257) + `}`: "config has arrays and objects",
		`{"msg":7}`: "msg must be a string, but it is a number",
	} {
		_, err := result.Decode([]byte(in))
		var refused *fault.Error
		if !errors.As(err, &refused) || refused.Kind != fault.Invalid || refused.ID != "INVALID_RESULT" || !strings.HasPrefix(refused.Detail, want) {
			t.Errorf("%.80s: got %v, want %s", in, err, want)
		}
	}
}

func TestOldFormBecomesSteps(t *testing.T) {
	t.Parallel()
	r := decode(t, `{
		"overall":{"success":false,"outputs":{
			"pre":[{"workflow_step":{"type":"oidc"},"success":true,"outputs":{}}],
			"post":[{"workflow_step":{"type":"run","cmd":["ls"],"exit_code":0},"success":true,"outputs":{"text":"x"}}]}},
		"dirspaces":[
			{"path":"net","workspace":"default","success":true,"outputs":[
				{"workflow_step":{"type":"init"},"success":true,"outputs":{"output_key":"init","text":"i"}},
				{"workflow_step":{"type":"plan"},"success":true,"outputs":{"has_changes":true,"plan_text":"d","plan":"Plan: 1 to add, 0 to change, 0 to destroy."}}]},
			{"path":"app","workspace":"prod","success":false,"outputs":null},
			{"path":"app","workspace":"prod","success":true}]}`)
	var steps []string
	for _, s := range r.Steps {
		steps = append(steps, s.Name+" "+s.Scope.Type+" "+s.Scope.Subflow+s.Scope.Dir)
	}
	want := []string{"auth/oidc run pre", "tf/init dirspace net", "tf/plan dirspace net", "run run post"}
	if !reflect.DeepEqual(steps, want) || r.Success || truth(r.Hooks.Pre) != "true" {
		t.Errorf("got %q, %+v", steps, r)
	}
	if len(r.Dirspaces) != 2 || !r.Dirspaces[0].Success || truth(r.Dirspaces[0].HasChanges) != "true" || r.Dirspaces[0].Counts.Add != 1 {
		t.Errorf("got %+v", r.Dirspaces)
	}
	if d := r.Dirspaces[1]; d.Dir != "app" || d.Workspace != "prod" || d.Success {
		t.Errorf("got %+v", d)
	}
}

func TestTextIsWhatAStepPrinted(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		`{}`: "", `{"text":"a\n","stderr":"b"}`: "a\nb", `{"plan":"p"}`: "p", `{"plan":"p","text":"\u001b[1mé"}`: "\x1b[1mé", `{"text":7,"stderr":"b"}`: "b",
	} {
		if got := result.Text([]byte(payload)); got != want {
			t.Errorf("%s: got %q, want %q", payload, got, want)
		}
	}
}
