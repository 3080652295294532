package repoconfig_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/repoconfig"
)

func own(text string) repoconfig.File {
	return repoconfig.File{Name: repoconfig.Path, Text: []byte(text)}
}

func load(t *testing.T, text string) *repoconfig.Config {
	t.Helper()
	c, err := repoconfig.LoadDefaultBranch(own(text))
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return c
}

func TestEmptyFileIsTheDefaultConfiguration(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "---\n", "{}", "# nothing\n", "null", "workflows:\ndirs: null\n"} {
		c := load(t, text)
		if !c.Enabled || c.Destinations != nil || c.Batch != 0 || len(c.Workflows)+len(c.Dirs)+len(c.Stacks)+len(c.Drift) != 0 {
			t.Errorf("%q: got %+v", text, c)
		}
		if len(c.Requirements.Checks) != 1 || !c.Requirements.PendingStatus || c.AccessControl.Enabled {
			t.Errorf("%q: got %+v", text, c.Requirements)
		}
		check := c.Requirements.Checks[0]
		if !check.MergeConflicts || !check.StatusChecks || check.Approved.Enabled || !check.ReadyForReview || check.ApplyAfterMerge || check.Query.Expr != nil {
			t.Errorf("%q: got %+v", text, check)
		}
	}
}

// TestMistakesNameTheirPlaceAndTheRemedy has a mistake a row, and what must be said of it.
func TestMistakesNameTheirPlaceAndTheRemedy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"workflow: []\n", `config.yml:1: workflow: there is no such key here; did you mean workflows?`},
		{"a: b\nc", `config.yml:`},
		{"a: [\n", `this is not YAML`},
		{"- a\n", `the file is a list; it must be an object`},
		{"enabled: yes please\n", `config.yml:1: enabled: this must be true or false, and it is a text`},
		{"enabled: true\nenabled: false\n", `config.yml:2: enabled: the key stands twice; the first one is in line 1`},
		{"version: 2\n", `config.yml:1: version: "2" is not possible here; possible are 1`},
		{"dirs:\n  a:\n    tag: [x]\n", `config.yml:3: dirs.a.tag: there is no such key here; did you mean tags?`},
		{"dirs:\n  a/b c:\n    tags: x\n", `config.yml:3: dirs["a/b c"].tags: this must be a list, and it is a text`},
		{"dirs:\n  ../a: {}\n", `dirs["../a"]: the path "../a" has the part ..`},
		{"dirs:\n  /a: {}\n", `begins with /`},
		{"workflows:\n- plan: []\n", `config.yml:2: workflows[0]: the key tag_query is needed here`},
		{"workflows:\n- tag_query: a and\n", `config.yml:2: workflows[0].tag_query: "a and" is not a tag query`},
		{"workflows:\n- tag_query: ''\n  plan: [{type: int}]\n", `workflows[0].plan[0].type: "int" is not possible here; did you mean init?`},
		{"workflows:\n- tag_query: ''\n  plan: [{typ: init}]\n", `workflows[0].plan[0]: the key type is needed here`},
		{"workflows:\n- tag_query: ''\n  plan: [{type: env, method: source}]\n", `the key cmd is needed here`},
		{"workflows:\n- tag_query: ''\n  plan: [{type: oidc, provider: ibm}]\n", `"ibm" is not possible here; possible are aws, azure, gcp`},
		{"workflows:\n- tag_query: ''\n  lock_policy: never\n", `possible are strict, apply, merge, none`},
		{"workflows:\n- null\n", `workflows[0]: an element of a list cannot be empty`},
		{"when_modified: {file_patterns: ['${DIRS}/*.tf']}\n", `the variables are ${DIR} and ${WORKSPACE}`},
		{"when_modified: {file_patterns: ['[a']}\n", `is not a pattern`},
		{"when_modified: {file_patterns: ['!']}\n", `the pattern is empty`},
		{"when_modified: {depends_on: 5.5}\n", ``},
		{"when_modified: {depends_on: []}\n", `this must be a text or an object, and it is a list`},
		{"tags: {branch: {x: '%'}}\n", `is not a pattern of Lua`},
		{"tags: {branch: {x: '[a'}}\n", `is not a pattern of Lua`},
		{"tags: {branch: {x: '.-.-.-.-x'}}\n", `repeats 4 times`},
		{"parallel_runs: 0\n", `this is a whole number from 1 to 1000`},
		{"parallel_runs: many\n", `this must be a number, and it is a text`},
		{"drift: {enabled: true}\n", `the key schedule is needed here`},
		{"drift: {enabled: true, schedule: dayly}\n", `did you mean daily?`},
		{"drift: {schedules: {a: {schedule: daily, tag_query: '', window: {start: '25:00 UTC', end: '1:00'}}}}\n", `is not a time of day with a zone`},
		{"stacks: {}\n", `stacks: the key names is needed here`},
		{"stacks: {names: {a: {}}}\n", `stacks.names.a: the key tag_query is needed here`},
		{"stacks: {names: {a: {tag_query: x, rules: {modified_by: [bb]}}, b: {tag_query: y}}}\n", `stacks.names.a.rules.modified_by: there is no stack "bb"; did you mean b?`},
		{"stacks: {names: {a: {tag_query: x, rules: {plan_after: [b]}}, b: {tag_query: y, rules: {plan_after: [a]}}}}\n", `the stacks form a circle: a, then b, then a`},
		{"stacks: {names: {a: {stacks: [a]}}}\n", `the stacks form a circle: a, then a`},
		{"apply_requirements: {checks: [{tag_query: '', approved: {enabled: true, any_of: [sre]}}]}\n", `"sre" names nobody; write user:LOGIN, team:SLUG, role:ROLE or *`},
		{"apply_requirements: {checks: [{tag_query: '', approved: {all_of: ['role:owner']}}]}\n", `has an unknown role`},
		{"apply_requirements: {checks: x}\n", `this must be a list or an object, and it is a text`},
		{"default_branch_overrides: [access]\n", `"access" is not possible here`},
		{"engine: {version: 1.5}\n", `the key name is needed here`},
		{"engine: {name: terraform, versions: 1.5}\n", `did you mean version?`},
		{"storage: {plans: {method: s3, bucket: b}}\n", `the key region is needed here`},
		{"storage: {plans: {}}\n", `the key method is needed here`},
		{"destination_branches: [{source_branches: [a]}]\n", `the key branch is needed here`},
		{"x: &a [*a]\n", ``},
		{"---\na: 1\n---\nb: 2\n", `the file has a second document`},
		{"? [a]\n: b\n", `a key must be a text`},
		{"<<: x\n", `<< takes an object`},
		{"enabled: !!binary aGk=\n", `the YAML tag`},
		{"\xff", `not UTF-8`},
	} {
		got, err := repoconfig.LoadDefaultBranch(own(c.text))
		var mistakes repoconfig.Mistakes
		if c.want == "" && err == nil {
			continue
		}
		if !errors.As(err, &mistakes) || len(mistakes) == 0 {
			t.Errorf("%q: got %+v, %v", c.text, got, err)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestAllMistakesComeAtOnce(t *testing.T) {
	t.Parallel()
	_, err := repoconfig.LoadDefaultBranch(own("enabled: 1\nworkflow: []\nparallel_runs: x\ndirs:\n  a: {tag: []}\n"))
	var mistakes repoconfig.Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) != 4 {
		t.Fatalf("got %v", err)
	}
	for i, line := range []int{1, 2, 3, 5} {
		if mistakes[i].At.Line != line {
			t.Errorf("mistake %d is in line %d, want %d", i, mistakes[i].At.Line, line)
		}
	}
}

func TestAliasesThatMultiplyAreRefused(t *testing.T) {
	t.Parallel()
	text := "definitions:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 10; i++ {
		n := string(rune('0' + i))
		p := string(rune('0' + i - 1))
		text += "  a" + n + ": &a" + n + " [" + strings.Repeat("*a"+p+", ", 9) + "*a" + p + "]\n"
	}
	if _, err := repoconfig.LoadDefaultBranch(own(text)); err == nil || !strings.Contains(err.Error(), "aliases count as what they repeat") {
		t.Errorf("got %v", err)
	}
}

func TestPullRequestCannotLoosenTheRulesOfTheDefaultBranch(t *testing.T) {
	t.Parallel()
	strict := "apply_requirements: {checks: [{tag_query: '', approved: {enabled: true, any_of: ['team:sre']}}]}\n"
	loose := "apply_requirements: {checks: []}\ndestination_branches: ['*']\ndefault_branch_overrides: []\nautomerge: {enabled: true}\n"
	file := func(name, text string) repoconfig.File { return repoconfig.File{Name: name, Text: []byte(text)} }
	c, err := repoconfig.Load(file("head", loose), file("main", strict))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Requirements.Checks) != 1 || !c.Requirements.Checks[0].Approved.Enabled || c.Destinations != nil || c.Automerge.Enabled {
		t.Errorf("got %+v, %+v, %+v", c.Requirements, c.Destinations, c.Automerge)
	}
	if at := c.Requirements.Checks[0].At.String(); at != "main:1" {
		t.Errorf("the check is at %s", at)
	}
	// What the default branch names is kept for it, and nothing else.
	c, err = repoconfig.Load(file("head", loose), file("main", strict+"default_branch_overrides: [automerge]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Requirements.Checks) != 0 || c.Destinations == nil || c.Automerge.Enabled {
		t.Errorf("got %+v, %+v, %+v", c.Requirements, c.Destinations, c.Automerge)
	}
	// A mistake in either file is told with its file.
	if _, err = repoconfig.Load(file("head", "x: 1"), file("main", "y: 1")); err == nil || !strings.Contains(err.Error(), "head:1: x") || !strings.Contains(err.Error(), "main:1: y") {
		t.Errorf("got %v", err)
	}
}

func TestNumbersAreTextsWhereATextIsNeeded(t *testing.T) {
	t.Parallel()
	c := load(t, "default_tf_version: 1.10\nengine: {name: terraform, version: 1.10}\nparallel_runs: 5\n")
	text, err := c.ForRunner()
	if want := `{"default_tf_version":"1.10","engine":{"name":"terraform","version":"1.10"},"parallel_runs":5}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
}

func TestRunnerGetsNoNullsAndTheWorkflowsInTheirPlaces(t *testing.T) {
	t.Parallel()
	c := load(t, `
version: "1"
definitions: {steps: &s [{type: init}]}
hooks: null
workflows:
- {tag_query: a, plan: *s, environment: null}
- {tag_query: '', <<: {runs_on: [self-hosted, linux]}}
storage: {plans: {method: terrateam}}
`)
	text, err := c.ForRunner()
	want := `{"storage":{"plans":{"method":"terrateam"}},"workflows":[{"plan":[{"type":"init"}],"tag_query":"a"},{"runs_on":["self-hosted","linux"],"tag_query":""}]}`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
	if c.Workflows[1].RunsOn != `["self-hosted","linux"]` || c.Workflows[0].RunsOn != "" || c.Workflows[0].At.Line != 6 {
		t.Errorf("got %+v", c.Workflows)
	}
}

func TestBothFormsOfApprovalsAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]repoconfig.Approved{
		`{approved: {enabled: true, count: 2}}`:                                            {Enabled: true, AnyOfCount: 1, Count: 2},
		`{approved: {enabled: true}}`:                                                      {Enabled: true, AnyOfCount: 1, Count: 1},
		`[{tag_query: '', approved: {enabled: true, any_of: ['*'], any_of_count: 3}}]`:     {Enabled: true, AnyOf: []string{"*"}, AnyOfCount: 3},
		`[{tag_query: '', approved: {enabled: true, all_of: ['user:ann', 'role:admin']}}]`: {Enabled: true, AllOf: []string{"user:ann", "role:admin"}, AnyOfCount: 1},
		`{approved: {enabled: false}}`:                                                     {AnyOfCount: 1},
	} {
		c := load(t, "apply_requirements: {checks: "+text+"}")
		if got := c.Requirements.Checks[0].Approved; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

func TestOrderOfTheFileIsKept(t *testing.T) {
	t.Parallel()
	c := load(t, "tags: {branch: {z: '^a', a: '.', m: b}}\nstacks: {names: {z: {tag_query: a}, b: {stacks: [z]}}}\ndirs: {z: {}, a: {workspaces: {y: {}, b: {}}, stacks: {s: {}}}}\n")
	if got := c.BranchTags; len(got) != 3 || got[0].Tag != "z" || got[1].Tag != "a" || got[2].Tag != "m" {
		t.Errorf("got %+v", got)
	}
	if c.Stacks[0].Name != "z" || c.Stacks[1].Query != nil || c.Dirs[0].Key != "z" {
		t.Errorf("got %+v, %+v", c.Stacks, c.Dirs)
	}
	if w := c.Dirs[1].Workspaces; len(w) != 3 || w[0].Name != "y" || w[2].Name != "s" || !w[2].Stack {
		t.Errorf("got %+v", w)
	}
}

func TestPlanAfterIsModifiedByUnlessItIsGiven(t *testing.T) {
	t.Parallel()
	c := load(t, "stacks: {names: {a: {tag_query: a}, b: {tag_query: b, rules: {modified_by: [a]}}, c: {tag_query: c, rules: {modified_by: [a], plan_after: []}}}}\n")
	if got := c.Stacks[1].PlanAfter; len(got) != 1 || got[0] != "a" {
		t.Errorf("got %v", got)
	}
	if got := c.Stacks[2].PlanAfter; len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestWindowContainsItsTimesOfDay(t *testing.T) {
	t.Parallel()
	window := func(start, end string) *repoconfig.Window {
		c := load(t, "drift: {enabled: true, schedules: {n: {schedule: daily, tag_query: '', window: {start: '"+start+"', end: '"+end+"'}}}}")
		return c.Drift[0].Window
	}
	for _, c := range []struct {
		start, end, at string
		want           bool
	}{
		{"09:00 UTC", "17:00 UTC", "2026-06-01T09:00:00Z", true},
		{"09:00 UTC", "17:00 UTC", "2026-06-01T17:00:00Z", false},
		{"22:00 UTC", "04:00 UTC", "2026-06-01T23:00:00Z", true},
		{"22:00 UTC", "04:00 UTC", "2026-06-01T03:59:59Z", true},
		{"22:00 UTC", "04:00 UTC", "2026-06-01T12:00:00Z", false},
		{"09:00 +02:00", "10:00 +02:00", "2026-06-01T07:30:00Z", true},
		{"09:00 Europe/Berlin", "10:00 Europe/Berlin", "2026-06-01T07:30:00Z", true},
		{"09:00 Europe/Berlin", "10:00 Europe/Berlin", "2026-01-01T08:30:00Z", true},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := window(c.start, c.end).Contains(at); got != c.want {
			t.Errorf("%s to %s at %s: got %t", c.start, c.end, c.at, got)
		}
	}
}

func TestSettingsTellWhereTheyCameFrom(t *testing.T) {
	t.Parallel()
	file := func(name, text string) repoconfig.File { return repoconfig.File{Name: name, Text: []byte(text)} }
	c, err := repoconfig.Load(file("head", "enabled: true\ndirs:\n  a: {tags: [x]}\n"), file("main", "\napply_requirements:\n  create_pending_apply_check: false\n"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, s := range c.Settings() {
		found[s.Path] = s.Value + " " + s.At.String()
	}
	for path, want := range map[string]string{
		"enabled": "true head:1", "dirs.a.tags[0]": `"x" head:3`, "apply_requirements.create_pending_apply_check": "false main:3", "parallel_runs": "3 default",
	} {
		if found[path] != want {
			t.Errorf("%s: got %q, want %q", path, found[path], want)
		}
	}
}

func TestSecretsAreShownToRunnersOnly(t *testing.T) {
	t.Parallel()
	c, err := repoconfig.LoadDefaultBranch(repoconfig.File{Name: "main", Text: []byte(`
storage: {plans: {method: s3, bucket: b, region: r, access_key_id: AKIA-x, secret_access_key: hush-x}}
stacks: {names: {s: {tag_query: 'a', variables: {DB_PASSWORD: pass-x, GITHUB_TOKEN: tok-x, region: r1}}}}
dirs: {my_token: {tags: [t1]}}
`)})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, s := range c.Settings() {
		found[s.Path] = s.Value
	}
	hidden, shown := `"***"`, map[string]string{"storage.plans.bucket": `"b"`, "stacks.names.s.variables.region": `"r1"`, "dirs.my_token.tags[0]": `"t1"`}
	for _, path := range []string{"storage.plans.access_key_id", "storage.plans.secret_access_key", "stacks.names.s.variables.DB_PASSWORD", "stacks.names.s.variables.GITHUB_TOKEN"} {
		shown[path] = hidden
	}
	for path, want := range shown {
		if found[path] != want {
			t.Errorf("%s: got %q, want %q", path, found[path], want)
		}
	}
	text, err := c.ForRunner()
	if err != nil || !strings.Contains(string(text), `"access_key_id":"AKIA-x"`) || !strings.Contains(string(text), `"secret_access_key":"hush-x"`) {
		t.Errorf("the runner gets %s, %v", text, err)
	}
}

func TestPatternsOfLuaAreFoundAnywhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"^feature/", "feature/x", true},
		{"^feature/", "my-feature/x", false},
		{"feature", "my-feature/x", true},
		{"^release/%d+$", "release/12", true},
		{"^release/%d+$", "release/12a", false},
		{"hot%-fix", "hot-fix", true},
		{"[", "x", false},
		{"", "x", true},
	} {
		if got := repoconfig.MatchLua(c.pattern, c.name); got != c.want {
			t.Errorf("%q in %q: got %t", c.pattern, c.name, got)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, text := range []string{"", "dirs: {a: {}}", "x: &a [*a]", "workflows: [{tag_query: 'a or b'}]", "<<: {a: 1}", "a: !!int x", "stacks: {names: {a: {stacks: [a]}}}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := repoconfig.LoadDefaultBranch(repoconfig.File{Name: "f", Text: text})
		if err != nil {
			var mistakes repoconfig.Mistakes
			if !errors.As(err, &mistakes) || len(mistakes) == 0 {
				t.Fatalf("got %v", err)
			}
			return
		}
		if _, err := c.ForRunner(); err != nil {
			t.Fatal(err)
		}
		c.Settings()
	})
}

func TestPullRequestCannotMakeTheServerActByItself(t *testing.T) {
	t.Parallel()
	file := func(name, text string) repoconfig.File { return repoconfig.File{Name: name, Text: []byte(text)} }
	own := "enabled: true\nautomerge: {enabled: true}\nstacks: {names: {a: {tag_query: 'dir:a', rules: {auto_apply: true}}, b: {tag_query: 'dir:b', rules: {auto_apply: true, plan_after: [a]}}}}\n"
	c, err := repoconfig.Load(file("head", own), file("main", "enabled: false\nstacks: {names: {b: {tag_query: 'dir:b', rules: {auto_apply: true}}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Enabled || c.Automerge.Enabled {
		t.Errorf("enabled %t, automerge %t", c.Enabled, c.Automerge.Enabled)
	}
	applied := map[string]bool{}
	for _, s := range c.Stacks {
		applied[s.Name] = s.AutoApply != nil && *s.AutoApply
	}
	if applied["a"] || !applied["b"] || len(applied) != 2 {
		t.Errorf("applied by themselves: %v", applied)
	}
}
