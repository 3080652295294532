package result_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/result"
)

// learned returns what a result says of the dirspace net after one step.
func learned(t testing.TB, name string, success bool, payload map[string]any) result.Dirspace {
	t.Helper()
	text, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, body(step(name, net, success, string(text)))).Dirspaces[0]
}

func counts(c *result.Counts) string {
	if c == nil {
		return "unknown"
	}
	replaced := "?"
	if c.Replace != nil {
		replaced = fmt.Sprint(*c.Replace)
	}
	return fmt.Sprintf("%d %d %d %s", c.Add, c.Change, c.Destroy, replaced)
}

// coloured is what Terraform 1.11 prints for a plan with a replacement, and with a
// resource whose text looks like a summary.
const coloured = "\x1b[0m  \x1b[33m~\x1b[0m\x1b[0m resource \"terraform_data\" \"multi\" {\n" +
	"          \x1b[31m-\x1b[0m\x1b[0m Plan: 9 to add, 9 to change, 9 to destroy.\n" +
	"            Plan: 8 to add, 9 to change, 9 to destroy.\n" +
	"            -/+ resource \"x\" \"y\" {\n" +
	"\x1b[1m  # terraform_data.n\x1b[0m must be \x1b[1m\x1b[31mreplaced\x1b[0m\n" +
	"\x1b[0m\x1b[31m-\x1b[0m/\x1b[32m+\x1b[0m\x1b[0m resource \"terraform_data\" \"n\" {\n" +
	"\x1b[0m  \x1b[32m+\x1b[0m\x1b[0m resource \"terraform_data\" \"new\" {\n" +
	"\n\x1b[1mPlan:\x1b[0m 2 to add, 1 to change, 1 to destroy.\n"

func TestCountsAreThoseThatThePlanSumsUp(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Plan: 1 to add, 0 to change, 2 to destroy.":           "1 0 2 0",
		"x\r\nPlan: 1 to add, 0 to change, 2 to destroy.\r\ny": "1 0 2 0",
		coloured: "2 1 1 1",
		"Plan: 3 to import, 1 to add, 0 to change, 0 to destroy, 4 to forget.":                                                                                             "1 0 0 0",
		"+/- resource \"a\" \"b\" {\nPlan: 1 to add, 0 to change, 1 to destroy.":                                                                                           "1 0 1 1",
		"-/+ resource \"a\" \"b\" {\nPlan: 0 to add, 0 to change, 1 to destroy.":                                                                                           "0 0 1 ?",
		"12:14:11.123 STDOUT terraform: Plan: 1 to add, 2 to change, 3 to destroy.":                                                                                        "1 2 3 0",
		"12:14:11.123 STDOUT [dev/app] tofu: Plan: 1 to add, 2 to change, 3 to destroy.":                                                                                   "1 2 3 0",
		"[dev/app]  Plan: 1 to add, 2 to change, 3 to destroy.":                                                                                                            "1 2 3 0",
		"# unit: a\nPlan: 1 to add, 2 to change, 3 to destroy.\n\n# unit: b\nNo changes. x\n# unit: c\nPlan: 1 to add, 0 to change, 0 to destroy.":                         "2 2 3 0",
		"\x1b[0m\x1b[1m\x1b[32mNo changes.\x1b[0m\x1b[1m Your infrastructure matches the configuration.\x1b[0m":                                                            "0 0 0 0",
		"Changes to Outputs:\n  ~ o = 1 -> 2\n\nYou can apply this plan to save these new output values to the Terraform\nstate":                                           "0 0 0 0",
		"Previewing update (dev)\n\nResources:\n    \x1b[32m+ 2 to create\x1b[0m\n    ~ 1 to update\n    - 3 to delete\n    +-4 to replace\n    10 changes. 4 unchanged\n": "6 1 7 4",
		"Resources:\n    5 unchanged\n":                               "unknown",
		"    + 2 to create\n":                                         "unknown",
		"  Plan: 1 to add, 0 to change, 2 to destroy.":                "unknown",
		"The Plan: 1 to add, 0 to change, 2 to destroy.":              "unknown",
		"Plan: 1 added, 2 changed":                                    "0 0 0 0",
		"Plan: many to add":                                           "unknown",
		"Plan: 99999999999 to add, 1 to destroy":                      "unknown",
		"Apply complete! Resources: 1 added, 0 changed, 2 destroyed.": "unknown",
		`\nPlan: 1 to add, 0 to change, 2 to destroy.`:                "unknown",
		"\\\nPlan: 1 to add, 0 to change, 2 to destroy.":              "1 0 2 0",
		"":                     "unknown",
		"Error: no such thing": "unknown",
	} {
		d := learned(t, "tf/plan", true, map[string]any{"text": text, "has_changes": true, "plan": "Plan: 7 to add, 0 to change, 0 to destroy."})
		if got := counts(d.Counts); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestCountsOfAnApplyAreWhatItDid(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"x\nApply complete! Resources: 2 added, 1 changed, 1 destroyed.\n\nOutputs:\n":                           "2 1 1 ?",
		"\x1b[0m\x1b[1m\x1b[32m\nApply complete! Resources: 2 imported, 0 added, 1 changed, 0 destroyed.\x1b[0m": "0 1 0 ?",
		"Destroy complete! Resources: 3 destroyed.":                                                              "0 0 3 ?",
		"Resources:\n    + 2 to create\nUpdating (dev)\nResources:\n    + 2 created\n    - 1 deleted\n":          "2 0 1 ?",
		"Plan: 1 to add, 0 to change, 2 to destroy.":                                                             "unknown",
		"terraform_data.n: Destruction complete after 0s":                                                        "unknown",
	} {
		d := learned(t, "tf/apply", true, map[string]any{"text": text})
		if got := counts(d.Counts); got != want || d.HasChanges != nil {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestWhatAPlanDoesNotSayStaysUnknown(t *testing.T) {
	t.Parallel()
	two := "Plan: 0 to add, 0 to change, 2 to destroy."
	for name, c := range map[string]struct {
		step                      string
		success                   bool
		payload                   map[string]any
		changes, destroys, counts string
	}{
		"changes that destroy":        {"tf/plan", true, map[string]any{"has_changes": true, "text": two}, "true", "true", "0 0 2 0"},
		"changes without numbers":     {"custom/plan", true, map[string]any{"has_changes": true, "text": "diff"}, "true", "unknown", "unknown"},
		"no changes, without numbers": {"fly/plan", true, map[string]any{"has_changes": false, "text": "same"}, "false", "false", "0 0 0 0"},
		"nothing":                     {"tf/plan", true, map[string]any{}, "unknown", "unknown", "unknown"},
		"other types":                 {"tf/plan", true, map[string]any{"has_changes": "true", "text": 7}, "unknown", "unknown", "unknown"},
		"a failed plan":               {"tf/plan", false, map[string]any{"has_changes": true, "text": two}, "unknown", "unknown", "unknown"},
		"only the diff":               {"tf/plan", true, map[string]any{"plan": two}, "unknown", "true", "0 0 2 0"},
		"a plan of another step":      {"run", true, map[string]any{"has_changes": true, "text": two}, "unknown", "unknown", "unknown"},
		"a step that threw":           {"plan", false, map[string]any{}, "unknown", "unknown", "unknown"},
	} {
		d := learned(t, c.step, c.success, c.payload)
		if truth(d.HasChanges) != c.changes || truth(d.Destroys()) != c.destroys || counts(d.Counts) != c.counts {
			t.Errorf("%s: got %s, %s, %s", name, truth(d.HasChanges), truth(d.Destroys()), counts(d.Counts))
		}
	}
}

func TestLastPlanOfADirspaceIsTheOneThatIsApplied(t *testing.T) {
	t.Parallel()
	r := decode(t, body(
		step("tf/plan", net, true, `{"has_changes":true,"text":"Plan: 1 to add, 0 to change, 2 to destroy."}`),
		step("tf/plan", net, true, `{"has_changes":false,"text":"No changes. x"}`),
		step("tf/plan", pre, true, `{"has_changes":true,"text":"Plan: 9 to add, 0 to change, 2 to destroy."}`),
	))
	if d := r.Dirspaces[0]; truth(d.HasChanges) != "false" || counts(d.Counts) != "0 0 0 0" {
		t.Errorf("got %+v", d)
	}
}

func TestOutputsOfTheLastApplyAreNamed(t *testing.T) {
	t.Parallel()
	r := decode(t, body(
		step("tf/apply", net, true, `{"outputs":{"a":{"sensitive":false,"value":1}}}`),
		step("tf/apply", net, true, `{"outputs":{"a":{"sensitive":false,"value":2},"b":{"sensitive":true,"value":"SECRET"}}}`),
		step("run", net, true, `{"outputs":{"a":{"sensitive":false,"value":3}}}`),
	))
	if got := string(r.Dirspaces[0].Outputs); got != `{"a":{"sensitive":false,"value":2},"b":{"sensitive":true}}` {
		t.Errorf("got %s", got)
	}
}

func FuzzCounts(f *testing.F) {
	f.Add(coloured)
	f.Add("Resources:\n    + 2 to create\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{"tf/plan", "tf/apply"} {
			c := learned(t, name, true, map[string]any{"text": text}).Counts
			if c == nil {
				continue
			}
			if c.Add < 0 || c.Change < 0 || c.Destroy < 0 || c.Replace != nil && *c.Replace > min(c.Add, c.Destroy) {
				t.Errorf("%q: got %+v", text, c)
			}
			if !strings.Contains(text, "Plan:") && !strings.Contains(text, "complete!") && !strings.Contains(text, "o changes") &&
				!strings.Contains(text, "plan to save") && !strings.Contains(text, "Resources:") && !strings.Contains(text, "\x1b") {
				t.Errorf("%q sums nothing up, but got %+v", text, c)
			}
		}
	})
}

func TestBitsOfAnOutcomeAreSetOnlyForWhatTheResultSays(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]run.Outcome{
		`{}`:                   run.HasResult | run.Succeeded,
		`{"has_changes":true}`: run.HasResult | run.Succeeded | run.HasChanges,
		`{"text":"Plan: 0 to add, 0 to change, 1 to destroy."}`: run.HasResult | run.Succeeded | run.HasChanges | run.Destroys,
		`{"has_changes":false,"text":"No changes. x"}`:          run.HasResult | run.Succeeded,
	} {
		r := decode(t, body(step("tf/plan", net, true, payload)))
		if got := r.Dirspaces[0].Outcome(); got != want {
			t.Errorf("%s: got %05b, want %05b", payload, got, want)
		}
	}
	if got := decode(t, body(step("tf/plan", net, false, `{}`))).Dirspaces[0].Outcome(); got != run.HasResult {
		t.Errorf("got %05b", got)
	}
}

func TestOutcomesHaveTheOrderOfTheRun(t *testing.T) {
	t.Parallel()
	other := `{"type":"dirspace","dir":"other","workspace":"default"}`
	app := `{"type":"dirspace","dir":"app","workspace":"default"}`
	r := decode(t, body(step("a", app, false, `{}`), step("a", other, true, `{}`), step("tf/plan", net, true, `{"has_changes":true}`)))
	got := r.Outcomes([]run.Dirspace{{Dir: "net", Workspace: "default"}, {Dir: "net", Workspace: "prod"}, {Dir: "app", Workspace: "default"}})
	want := []run.Outcome{run.HasResult | run.Succeeded | run.HasChanges, 0, run.HasResult}
	if !slices.Equal(got, want) {
		t.Errorf("got %05b, want %05b", got, want)
	}
}
