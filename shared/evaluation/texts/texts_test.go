package texts_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

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
	r.Layer, r.Denied = 2, nil
	expect(t, "plan-last", texts.Comments(r)...)
	r.Layers = 1
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
			if len(c) > texts.Limit {
				t.Fatalf("a comment has %d bytes", len(c))
			}
			closed(t, c)
		}
	})
}

// TestNoCommentIsLongerThanAHostTakes puts very long texts and lists into each text.
func TestNoCommentIsLongerThanAHostTakes(t *testing.T) {
	t.Parallel()
	for _, one := range []string{"x", "`", "*", "\"", "\n", "```\n", "é", "a b\n", "\\", "@", "<"} {
		long := strings.Repeat(one, 200_000)
		d := dirspace(long)
		lists := make([]string, 5000)
		denials, files := make([]rules.Denial, 5000), make([]rules.Change, 5000)
		mistakes, gates, plans := make(repoconfig.Mistakes, 5000), make([]result.Gate, 5000), make([]texts.Unplanned, 5000)
		locks, conflicts, requirements := make([]rules.Lock, 5000), make([]rules.Conflict, 5000), make([]rules.Requirement, 5000)
		origins, settings := make([]run.Origin, 5000), make([]repoconfig.Setting, 200)
		at := repoconfig.Position{File: long}
		for i := range lists {
			lists[i], origins[i] = long, run.Origin(long)
			denials[i] = rules.Denial{Dirspace: &matching.Dirspace{Dirspace: d}, At: at}
			files[i] = rules.Change{Path: long}
			mistakes[i] = repoconfig.Mistake{At: at, Path: long, Problem: long}
			gates[i] = result.Gate{Dir: long, Name: long, Token: long, AnyOfCount: 1}
			plans[i] = texts.Unplanned{Dirspace: d, Why: rules.Overtaken, By: run.Origin(long)}
			locks[i] = rules.Lock{Dirspace: d, Holder: run.Origin(long)}
			conflicts[i] = rules.Conflict{Active: rules.Active{Origin: run.Origin(long)}, Shared: []run.Dirspace{d}}
			requirements[i] = rules.Requirement{Dirspace: &matching.Dirspace{Dirspace: d}, At: at, StatusChecks: rules.Fail, FailedStatuses: []string{long}}
		}
		denials[0].Allowed, files[0].Allowed, gates[0].AllOf, gates[0].AnyOf = lists[:20], lists[:20], lists, lists
		for i := range settings {
			settings[i] = repoconfig.Setting{Path: long[:2000*len(one)], Value: long[:2000*len(one)]}
		}
		_, _, bad := comment.Parse("terrateam plan (" + strings.Repeat(one, 5000))
		made := map[string][]string{
			"missing plans": {texts.MissingPlans("terraform", "#", plans)}, "locked": {texts.Locked("terraform", "#", locks)},
			"conflicts":     {texts.Conflicts("terraform", "#", conflicts, func(run.ID) string { return "https://ops.example/r" })},
			"not appliable": {texts.NotAppliable(requirements)}, "denied": {texts.Denied(long, rules.OpApply, denials)}, "denied files": {texts.DeniedFiles(long, files)},
			"mistakes": {texts.Mistakes(mistakes)}, "destination": {texts.Destination(long, long)}, "aborted": {texts.Aborted(true, long, "u")},
			"unlocked": {texts.Unlocked("#", origins, 2)}, "help": {texts.Help("terraform", long)}, "no write": {texts.NoWrite(long)},
			"no unlock": {texts.NoUnlock(long, lists[:20])}, "refused": {texts.Refused(long)}, "not merged": {texts.NotMerged(long)},
			"gates": {texts.Gates("terraform", gates)}, "gate approved": {texts.GateApproved("terraform", lists)},
			"configuration": texts.RepoConfig(settings),
			"result": texts.Comments(texts.Result{Trigger: "terraform", Denied: []run.Dirspace{d, d, d}, Dirspaces: []texts.Dirspace{
				{Dirspace: d, Steps: []texts.Step{{Name: long, Text: long, Plan: true}}}, {Dirspace: d, Success: true},
			}}),
		}
		if e, is := bad.(*comment.ArgumentError); is {
			made["argument"] = []string{texts.BadArgument(e)}
		}
		for name, comments := range made {
			if len(comments) > 50 || name == "configuration" && (len(comments) > 4 || !strings.HasSuffix(comments[len(comments)-1], "\n… cut\n")) {
				t.Errorf("%s of %q: %d comments", name, one, len(comments))
			}
			for _, c := range comments {
				if len(c) > 60_000 || !utf8.ValidString(c) {
					t.Errorf("%s of %q: %d bytes, valid %t", name, one, len(c), utf8.ValidString(c))
				}
				closed(t, c)
			}
		}
	}
}

func TestTextsOfOthersStayAsTheyAre(t *testing.T) {
	t.Parallel()
	if got, want := texts.Refused("a\\*b\rc \"q\" <i> & #1 '"), "## Not started\n\na\\\\\\*b c \"q\" &lt;i&gt; &amp; \\#1 '\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got := texts.Comments(texts.Result{Dirspaces: []texts.Dirspace{{Dirspace: dirspace("a_b*\\</summary>\"\r@c"), Steps: []texts.Step{{Name: "s_1", Text: "x"}}}}})
	if want := "<summary>:x: a_b*\\&lt;/summary&gt;&#34; @\u200bc (default) · s_1</summary>"; !strings.Contains(got[0], want) {
		t.Errorf("got %q, want %q", got[0], want)
	}
}

// closed fails the test if a block of code or a folded part is open at the end of a
// comment.
func closed(t interface{ Fatalf(string, ...any) }, comment string) {
	fence, folded := "", 0
	for _, line := range strings.Split(comment, "\n") {
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3 && !strings.Contains(line[len(ticks):], "`"):
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
