package run_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/run"
)

func TestIDsAreRandomLowerCaseUUIDs(t *testing.T) {
	t.Parallel()
	a, b := run.NewID(), run.NewID()
	if a == b {
		t.Errorf("two ids are equal: %s", a)
	}
	if again, err := run.ParseID(strings.ToUpper(string(a))); err != nil || again != a {
		t.Errorf("%s in upper case is read as %q, %v", a, again, err)
	}
	for _, text := range []string{"", "x", string(a)[:35], string(a) + "0", "{" + string(a) + "}", "urn:uuid:" + string(a), strings.ReplaceAll(string(a), "-", "")} {
		if got, err := run.ParseID(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}

func TestTypesAreShownFolded(t *testing.T) {
	t.Parallel()
	for stored, want := range map[run.Type]struct {
		shown       run.Type
		plan, apply bool
	}{
		run.Plan: {run.Plan, true, false}, run.AutoPlan: {run.Plan, true, false},
		run.Apply: {run.Apply, false, true}, run.AutoApply: {run.Apply, false, true}, run.UnsafeApply: {run.Apply, false, true},
		run.Index: {run.Index, false, false}, run.BuildConfig: {run.BuildConfig, false, false}, run.BuildTree: {run.BuildTree, false, false},
	} {
		if !stored.Valid() || stored.Shown() != want.shown || stored.IsPlan() != want.plan || stored.IsApply() != want.apply {
			t.Errorf("%s is shown as %s, plan %t, apply %t", stored, stored.Shown(), stored.IsPlan(), stored.IsApply())
		}
	}
	if run.Type("destroy").Valid() {
		t.Error("an unknown type is valid")
	}
}

// TestStatesOnlyMoveForward compares every pair of states with the written table of
// transitions.
func TestStatesOnlyMoveForward(t *testing.T) {
	t.Parallel()
	legal := map[[2]run.State]bool{
		{run.Creating, run.Queued}: true,
		{run.Queued, run.Running}:  true, {run.Queued, run.Completed}: true, {run.Queued, run.Aborted}: true,
		{run.Running, run.Completed}: true, {run.Running, run.Aborted}: true,
	}
	for _, from := range run.States() {
		ways := 0
		for _, to := range run.States() {
			if got := from.CanBecome(to); got != legal[[2]run.State{from, to}] {
				t.Errorf("from %s to %s: got %t", from, to, got)
			}
			if from.CanBecome(to) {
				ways++
			}
		}
		if from.Ended() != (ways == 0) {
			t.Errorf("%s: ended %t, but there are %d ways on", from, from.Ended(), ways)
		}
		if from.Active() == (from.Ended() || from == run.Creating) || from.Visible() == (from == run.Creating) {
			t.Errorf("%s: active %t, visible %t", from, from.Active(), from.Visible())
		}
	}
	if other := run.State("failed"); other.Valid() || other.Visible() || other.Active() || other.CanBecome(run.Queued) {
		t.Error("an unknown state means something")
	}
}

func TestOutcomesAreReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) run.Outcome { return run.Outcome(rapid.Byte().Draw(t, "bits")) }), 0, 9).Draw(t, "list")
		text, err := run.EncodeOutcomes(list)
		legal := true
		for _, o := range list {
			legal = legal && o < 32 && (!o.Has(run.Succeeded) || o.Has(run.HasResult)) && (!o.Has(run.Destroys) || o.Has(run.HasChanges))
		}
		if (err == nil) != legal {
			t.Fatalf("%v: got %v", list, err)
		}
		if err != nil {
			return
		}
		got := run.DecodeOutcomes(text)
		if len(got) != len(list) {
			t.Fatalf("%v is read back as %v", list, got)
		}
		for i := range list {
			if got[i] != list[i] {
				t.Fatalf("%v is read back as %v", list, got)
			}
		}
	})
}

func TestApplyBlocksOnlyWhileItMayRun(t *testing.T) {
	t.Parallel()
	claimed := run.Dispatch{Attempt: 1}
	for _, c := range []struct {
		of       run.Type
		state    run.State
		dispatch run.Dispatch
		want     bool
	}{
		{run.Apply, run.Queued, run.Dispatch{}, false},
		{run.Apply, run.Queued, claimed, true},
		{run.Apply, run.Running, claimed, true},
		{run.AutoApply, run.Running, claimed, true},
		{run.Plan, run.Running, claimed, false},
		{run.Apply, run.Completed, claimed, false},
		{run.Apply, run.Aborted, claimed, false},
	} {
		r := run.Run{Spec: run.Spec{Type: c.of}, State: c.state, Dispatch: c.dispatch}
		if got := r.Blocks(); got != c.want {
			t.Errorf("%s that is %s, attempt %d: got %t", c.of, c.state, c.dispatch.Attempt, got)
		}
	}
}
