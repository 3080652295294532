package testrunner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	backend      = "terraform {\n  backend \"local\" {}\n}\n\n"
	twoResources = backend + "resource \"terraform_data\" \"a\" {\n  input = \"1\"\n}\n\nresource \"terraform_data\" \"b\" {\n  input = \"1\"\n}\n\n" +
		"output \"shown\" {\n  value = \"x\"\n}\n\noutput \"hidden\" {\n  value     = \"y\"\n  sensitive = true\n}\n"
	oneResource = backend + "resource \"terraform_data\" \"a\" {\n  input = \"2\"\n}\n"
	broken      = backend + "resource \"terraform_data\" \"a\" {\n  lifecycle {\n    precondition {\n      condition     = terraform.workspace == \"none\"\n      error_message = \"No.\"\n    }\n  }\n}\n"
)

// TestEnginesSayTheSame plans and applies with the program of this machine and with the
// stand-in, so that tests mean the same on a machine that has no such program.
func TestEnginesSayTheSame(t *testing.T) {
	t.Parallel()
	engines := []Engine{StandIn{}}
	if found := Find(); found.Name() != (StandIn{}).Name() {
		engines = append(engines, found)
	}
	t.Logf("%d engines, the last is %s", len(engines), engines[len(engines)-1].Name())
	for _, engine := range engines {
		t.Run(engine.Name(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			at := place{dirspace: dirspace{Path: "net", Workspace: "blue"}, dir: dir, state: filepath.Join(t.TempDir(), "states"), plan: filepath.Join(t.TempDir(), "plan"), env: os.Environ()}
			write := func(text string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			plans := func(want string, changes bool) {
				t.Helper()
				made, err := engine.Plan(t.Context(), at)
				if err != nil || made.HasChanges != changes || !strings.Contains(made.Text, "\n"+want) {
					t.Fatalf("plan: %+v, %v, want %q", made, err, want)
				}
			}
			applies := func(want string, outputs int) {
				t.Helper()
				made, err := engine.Apply(t.Context(), at)
				if err != nil || len(made.Outputs) != outputs || !strings.Contains(made.Text, "\n"+want) {
					t.Fatalf("apply: %+v, %v, want %q", made, err, want)
				}
				for name, output := range made.Outputs {
					if o := output.(map[string]any); o["type"] != "string" || o["sensitive"] != (name == "hidden") {
						t.Errorf("output %s: %v", name, o)
					}
				}
			}
			write(twoResources)
			if text, err := engine.Init(t.Context(), at); err != nil {
				t.Fatalf("init: %v: %s", err, text)
			}
			plans("Plan: 2 to add, 0 to change, 0 to destroy.", true)
			applies("Apply complete! Resources: 2 added, 0 changed, 0 destroyed.", 2)
			plans("No changes.", false)
			write(oneResource)
			plans("Plan: 0 to add, 1 to change, 1 to destroy.", true)
			applies("Apply complete! Resources: 0 added, 1 changed, 1 destroyed.", 0)
			write(broken)
			if text, err := engine.Init(t.Context(), at); err != nil {
				t.Fatalf("init with a false precondition: %v: %s", err, text)
			}
			if made, err := engine.Plan(t.Context(), at); err == nil || !strings.Contains(made.Text, "Resource precondition failed") {
				t.Errorf("a false precondition: %+v, %v", made, err)
			}
		})
	}
}

func TestSecretsAreMaskedInEveryTextButTheNames(t *testing.T) {
	t.Parallel()
	r := report{[]outcome{{Step: "tok", Scope: scope{Dir: "tok"}, Payload: map[string]any{
		"text": "a token-long and tok", "cmd": []string{"echo", "tok"}, "outputs": map[string]any{"x": map[string]any{"value": []any{"tok", 1.5}}},
	}}}}
	got := r.masked([]string{"tok", "token-long", ""}).Steps[0]
	outputs := got.Payload["outputs"].(map[string]any)["x"].(map[string]any)["value"].([]any)
	if got.Step != "tok" || got.Scope.Dir != "tok" || got.Payload["text"] != "a *** and ***" || got.Payload["cmd"].([]string)[1] != "***" || outputs[0] != "***" || outputs[1] != 1.5 {
		t.Errorf("masked to %+v", got)
	}
	if r.Steps[0].Payload["text"] != "a token-long and tok" {
		t.Error("the report itself was changed")
	}
}

func TestSignsOfChangesMoveToTheFirstColumn(t *testing.T) {
	t.Parallel()
	if got, want := diff("  + a\n    ~ b\n      c\n-d\n\n"), "+   a\n!     b\n      c\n-d\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
