package comment_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/evaluation/comment"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/tagquery"
)

// TestCommandsAreRecognised has the rows of orchestration, 5.1.
func TestCommandsAreRecognised(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		action comment.Action // empty: no command
		query  string
	}{
		{"terrateam plan", comment.Plan, ""},
		{"Terraform apply dir:a", comment.Apply, "dir:a"},
		{"TOFU plan dir:a  or dir:b\n", comment.Plan, "dir:a or dir:b"},
		{" `terrateam apply` ", comment.Apply, ""},
		{"```\nterrateam apply\n```", comment.Apply, ""},
		{"` ``terrateam   apply-force\tx`` `", comment.ApplyForce, "x"},
		{"terrateam apply-autoapprove", comment.ApplyAutoapprove, ""},
		{"terrateam repo-config", comment.RepoConfig, ""},
		{"terrateam help", comment.Help, ""},
		{"terrateam feedback it works", comment.Feedback, ""},
		{"please run terrateam plan", "", ""},
		{"terrateams plan", "", ""},
		{"", "", ""},
		{"plan", "", ""},
		{"> terrateam plan", "", ""},
		{strings.Repeat(" ", comment.MaxBytes) + "terrateam plan", "", ""},
	} {
		got, ok, err := comment.Parse(c.text)
		if err != nil || ok != (c.action != "") || got.Action != c.action || tagquery.String(got.Query.Expr) != c.query {
			t.Errorf("%q: got %+v, %t, %v", c.text, got, ok, err)
		}
	}
}

func TestUnknownActionsAndArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"terrateam": `"" is not a command`, "terrateam Plan": `"Plan" is not a command`, "terraform init": `"init" is not a command`,
		"terrateam plan (": "is not a tag query", "terrateam unlock x": "neither the number", "terrateam unlock 0": "neither the number",
		"terrateam gate": "gate approve TOKEN", "terrateam gate deny x": "gate approve TOKEN",
	} {
		_, ok, err := comment.Parse(text)
		var unknown *comment.UnknownError
		var argument *comment.ArgumentError
		if !ok || err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &unknown) && !errors.As(err, &argument) {
			t.Errorf("%q: got %t, %v", text, ok, err)
		}
	}
}

func TestUnlockNamesWhatItIsAbout(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]run.Origin{
		"terrateam unlock": nil, "terrateam unlock 12 #7": {"12", "7"}, "terrateam unlock drift": {run.OriginOfDrift},
	} {
		got, _, err := comment.Parse(text)
		if err != nil || !slices.Equal(got.Unlocks, want) {
			t.Errorf("%q: got %v, %v", text, got.Unlocks, err)
		}
	}
	if got, _, err := comment.Parse("terrateam gate approve a b"); err != nil || !slices.Equal(got.Tokens, []string{"a", "b"}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"terrateam plan", "`tofu apply a or b`", "terraform unlock 1 drift", "terrateam gate approve x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, ok, err := comment.Parse(text); !ok && err != nil {
			t.Errorf("%q is no command, and refused: %v", text, err)
		}
	})
}
