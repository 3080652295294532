package texts_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/evaluation/comment"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/result"
)

var update = flag.Bool("update", false, "write the expected texts anew")

// expect compares a text with the file that has the expected one.
func expect(t *testing.T, name string, got ...string) {
	t.Helper()
	path := filepath.Join("testdata", name+".md")
	text := strings.Join(got, "\n<!-- the next comment -->\n")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, text, want)
	}
}

func dirspace(dir string) run.Dirspace { return run.Dirspace{Dir: dir, Workspace: "default"} }

func ptr[T any](v T) *T { return &v }

const plan = `Terraform will perform the following actions:

  # aws_s3_bucket.a will be created
  + resource "aws_s3_bucket" "a" {
      + bucket = "a"
    }
  # aws_vpc.b will be updated in-place
  ~ resource "aws_vpc" "b" {
      ~ tags = {}
    }
-/+ resource "aws_instance" "c" {
      - ami = "x" -> null
    }

Plan: 2 to add, 1 to change, 1 to destroy.`

func TestPlanComment(t *testing.T) {
	t.Parallel()
	r := texts.Result{Trigger: "terraform", URL: "https://ops.example/i/1/runs/2", Layers: 2, Layer: 1, Dirspaces: []texts.Dirspace{
		{Dirspace: dirspace("app"), Success: true, HasChanges: ptr(false), Counts: &result.Counts{Replace: ptr(0)}},
		{
			Dirspace: dirspace("net"), Success: true, HasChanges: ptr(true), Counts: &result.Counts{Add: 2, Change: 1, Destroy: 1, Replace: ptr(1)},
			Steps: []texts.Step{{Name: "tf/plan", Success: true, Text: plan, Plan: true}},
		},
		{Dirspace: dirspace("db|x"), Steps: []texts.Step{{Name: "tf/init", Text: "Error: ``` no *provider*"}}},
		{Dirspace: dirspace("old"), Success: true, Earlier: true, HasChanges: ptr(true), Counts: &result.Counts{Destroy: 3, Replace: ptr(0)}},
	}, Denied: []run.Dirspace{dirspace("secret")}}
	expect(t, "plan", texts.Comments(r)...)
	r.Dirspaces = r.Dirspaces[1:2]
	r.Layers, r.Denied = 1, nil
	expect(t, "plan-one", texts.Comments(r)...)
	r.Dirspaces[0].HasChanges, r.Dirspaces[0].Counts, r.Dirspaces[0].Steps = ptr(false), nil, nil
	expect(t, "plan-same", texts.Comments(r)...)
}

func TestApplyComment(t *testing.T) {
	t.Parallel()
	r := texts.Result{
		Apply: true, Trigger: "tofu", URL: "https://ops.example/r", Layers: 1,
		Hooks: []texts.Step{{Name: "run", Text: "hook failed"}},
		Dirspaces: []texts.Dirspace{
			{Dirspace: dirspace("a"), Success: true, Counts: &result.Counts{Add: 1, Destroy: 2}, Steps: []texts.Step{{Name: "tf/apply", Success: true, Text: "done"}}},
			{Dirspace: dirspace("b"), Steps: []texts.Step{{Name: "tf/apply", Text: "Error: quota"}}},
		},
	}
	expect(t, "apply", texts.Comments(r)...)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	a, b := dirspace("a"), dirspace("b`x")
	config, err := repoconfig.LoadDefaultBranch(repoconfig.File{Name: ".terrateam/config.yml", Text: []byte("dirs: {a: {tags: [x]}}\n")})
	if err != nil {
		t.Fatal(err)
	}
	_, mistakes := repoconfig.LoadDefaultBranch(repoconfig.File{Name: ".terrateam/config.yml", Text: []byte("workflow: []\nenabled: 1\n")})
	_, _, bad := comment.Parse("terrateam plan (")
	at := repoconfig.Position{File: "config.yml", Line: 3}
	requirements := []rules.Requirement{
		{Dirspace: &matching.Dirspace{Dirspace: a}, Entry: 1, At: at, MergeConflicts: rules.Pass, StatusChecks: rules.Fail, Approved: rules.Fail, ApplyAfterMerge: rules.Off, ReadyForReview: rules.Fail, FailedStatuses: []string{"ci/test"}, Missing: []string{"team:sre"}, Have: 0, Need: 1},
		{Dirspace: &matching.Dirspace{Dirspace: b}, Entry: -1},
	}
	for name, text := range map[string]string{
		"no-match":       texts.NoMatch("terraform"),
		"all-applied":    texts.AllApplied(),
		"missing-plans":  texts.MissingPlans("terraform", "#", []texts.Unplanned{{Dirspace: a, Why: rules.NoPlan}, {Dirspace: b, Why: rules.Overtaken, By: "7"}, {Dirspace: a, Why: rules.Expired}}),
		"locked":         texts.Locked("terraform", "#", []rules.Lock{{Dirspace: a, Holder: "7", Reason: rules.LockedByApply}, {Dirspace: b, Holder: "8", Reason: rules.LockedByMerge}}),
		"conflicts":      texts.Conflicts("terraform", "!", []rules.Conflict{{Active: rules.Active{Run: "r", Origin: run.OriginOfDrift, Type: run.Plan}, Shared: []run.Dirspace{a}}}, func(id run.ID) string { return "https://ops.example/" + string(id) }),
		"stale":          texts.Conflicts("terraform", "!", []rules.Conflict{{Active: rules.Active{Run: "r", Origin: "3", Type: run.Apply}, Shared: []run.Dirspace{a}, Stale: true}}, func(id run.ID) string { return "https://ops.example/" + string(id) }),
		"not-appliable":  texts.NotAppliable(requirements),
		"denied":         texts.Denied("bob", rules.OpApply, []rules.Denial{{Dirspace: &matching.Dirspace{Dirspace: a}, Policy: 0, At: at, Allowed: []string{"team:sre"}}, {Dirspace: &matching.Dirspace{Dirspace: b}, Policy: -1}}),
		"denied-files":   texts.DeniedFiles("bob", []rules.Change{{Path: "a.tf", Allowed: []string{"role:admin"}}, {Path: "b.tf"}}),
		"mistakes":       texts.Mistakes(mistakes.(repoconfig.Mistakes)),
		"merge-conflict": texts.MergeConflict(),
		"merge-unknown":  texts.MergeUnknown(),
		"destination":    texts.Destination("release", "f"),
		"fork":           texts.Fork(),
		"aborted":        texts.Aborted(true, "The CI job failed before it sent a result.", "https://ops.example/r"),
		"unlocked":       texts.Unlocked("#", []run.Origin{"7", run.OriginOfDrift}, 2),
		"bad-argument":   texts.BadArgument(bad.(*comment.ArgumentError)),
		"help":           texts.Help("terraform", "Plan"),
	} {
		expect(t, name, text)
	}
	expect(t, "repo-config", texts.RepoConfig(config.Settings())...)
}

// TestNoTextBreaksOutOfAComment checks the invariants of the package with whatever
// programs print.
func TestNoTextBreaksOutOfAComment(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"`", "```", "````", "~~~", "</details>", "|", "@all", "\n", "é", "x", "  + ", strings.Repeat("y", 3000), strings.Repeat("l\n", 9000)})
		text := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(piece, 0, 30).Draw(t, "pieces"), "") })
		r := texts.Result{Trigger: "terraform", URL: "https://ops.example/r", Layers: 1}
		for range rapid.IntRange(1, 5).Draw(t, "dirspaces") {
			r.Dirspaces = append(r.Dirspaces, texts.Dirspace{
				Dirspace: dirspace("d"), Success: rapid.Bool().Draw(t, "success"),
				Steps: []texts.Step{{Name: "s", Success: rapid.Bool().Draw(t, "step"), Plan: rapid.Bool().Draw(t, "plan"), Text: text.Draw(t, "text")}},
			})
		}
		for _, c := range texts.Comments(r) {
			if len(c) > texts.Max {
				t.Fatalf("a comment has %d bytes", len(c))
			}
			closed(t, c)
		}
	})
}

// closed fails the test if a block of code or a folded part is open at the end of a
// comment.
func closed(t *rapid.T, comment string) {
	fence, folded := "", 0
	for _, line := range strings.Split(comment, "\n") {
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence = ticks
		case fence != "" && len(ticks) >= len(fence) && strings.TrimSpace(line) == ticks:
			fence = ""
		case fence == "" && strings.HasPrefix(line, "<details>"):
			folded++
		case fence == "" && line == "</details>":
			folded--
		}
	}
	if fence != "" || folded != 0 {
		t.Fatalf("a comment ends in an open part:\n%.2000s", comment)
	}
}
