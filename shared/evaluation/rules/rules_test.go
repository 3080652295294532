package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
)

const (
	mine   = run.Origin("1")
	theirs = run.Origin("2")
)

var subject = rules.Subject{Origin: mine, State: rules.Open, Base: run.Ref{Branch: "main", Commit: "b"}, Head: run.Ref{Branch: "f", Commit: "h"}}

// result makes a result from a text such as "plan 1 b h ok changes kept".
func result(order int64, text string) rules.Result {
	f := strings.Fields(text)
	has := func(word string) bool { return slices.Contains(f, word) }
	return rules.Result{
		Order: order, Apply: f[0] == "apply", Origin: run.Origin(f[1]), Base: f[2], Head: f[3],
		Success: has("ok"), HasChanges: has("changes"), PlanKept: has("kept"),
	}
}

func history(texts ...string) rules.History {
	var made rules.History
	for i, text := range texts {
		made = append(made, result(int64(i+1), text))
	}
	return made
}

// TestPlanIsValid has the rows of orchestration, 12.1, and what follows from them.
func TestPlanIsValid(t *testing.T) {
	t.Parallel()
	const good = "plan 1 b h ok changes kept"
	merged := rules.Repository{Merges: map[run.Origin]int64{theirs: 10}, NewestMerge: "m"}
	for _, c := range []struct {
		name string
		h    rules.History
		in   rules.Repository
		want rules.Validity
	}{
		{"nothing", nil, rules.Repository{}, rules.NoPlan},
		{"a plan", history(good), rules.Repository{}, rules.Valid},
		{"a plan without changes", history("plan 1 b h ok kept"), rules.Repository{}, rules.Valid},
		{"a plan of an older head", history("plan 1 b old ok changes kept"), rules.Repository{}, rules.NoPlan},
		{"a plan of another base", history("plan 1 old h ok changes kept"), rules.Repository{}, rules.NoPlan},
		{"a failed plan", history(good, "plan 1 b h changes"), rules.Repository{}, rules.Failed},
		{"a plan whose bytes are gone", history("plan 1 b h ok changes"), rules.Repository{}, rules.Expired},
		{"a plan that was applied", history(good, "apply 1 b h ok"), rules.Repository{}, rules.Used},
		{"an apply that failed", history(good, "apply 1 b h"), rules.Repository{}, rules.Failed},
		{"planned again after a failed apply", history(good, "apply 1 b h", good), rules.Repository{}, rules.Valid},
		{"a plan of another pull request", history(good, "plan 2 b h2 ok changes kept"), rules.Repository{}, rules.Valid},
		{"an apply of another pull request", history(good, "apply 2 b h2 ok"), rules.Repository{}, rules.Overtaken},
		{"a failed apply of another pull request", history(good, "apply 2 b h2"), rules.Repository{}, rules.Overtaken},
		{"an apply of another pull request before", history("apply 2 b h2 ok", good), rules.Repository{}, rules.Valid},
		{"an apply of drift", history(good, "apply DRIFT d d ok"), rules.Repository{}, rules.Overtaken},
		{"a plan of drift", history(good, "plan DRIFT d d ok changes"), rules.Repository{}, rules.Valid},
		{"another pull request that planned was merged", history("plan 2 b h2 ok changes kept", good), merged, rules.Overtaken},
		{"another pull request was merged before the plan", append(history("plan 2 b h2 ok"), result(11, good)), merged, rules.Valid},
	} {
		if got, _ := c.h.Plan(subject, c.in); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestUnlockMakesOwnPlansVoid(t *testing.T) {
	t.Parallel()
	unlocked := subject
	unlocked.Unlocked = 1
	h := history("plan 1 b h ok kept")
	if got, _ := h.Plan(unlocked, rules.Repository{}); got != rules.NoPlan {
		t.Errorf("got %q", got)
	}
	if h.Applied(unlocked, rules.Repository{}) {
		t.Error("a plan without changes from before the unlock counts as applied")
	}
	h = append(h, result(2, "plan 1 b h ok kept"))
	if got, _ := h.Plan(unlocked, rules.Repository{}); got != rules.Valid {
		t.Errorf("after a new plan: got %q", got)
	}
}

func TestPlanOfAMergedPullRequest(t *testing.T) {
	t.Parallel()
	s := subject
	s.State, s.MergedAt = rules.Merged, 5
	before, after := result(1, "plan 1 b h ok kept"), result(6, "plan 1 b m ok kept")
	for _, c := range []struct {
		name string
		h    rules.History
		in   rules.Repository
		want rules.Validity
	}{
		{"planned before, its merge is the newest", rules.History{before}, rules.Repository{Merges: map[run.Origin]int64{mine: 5}, NewestMerge: "m"}, rules.Valid},
		{"planned before, another merge followed", rules.History{before}, rules.Repository{Merges: map[run.Origin]int64{mine: 5, "9": 7}, NewestMerge: "m9"}, rules.NoPlan},
		{"planned after", rules.History{before, after}, rules.Repository{Merges: map[run.Origin]int64{mine: 5}, NewestMerge: "m"}, rules.Valid},
		{
			"another one applied between its plan and its merge",
			rules.History{before, result(3, "apply 2 b x ok")},
			rules.Repository{Merges: map[run.Origin]int64{mine: 5}, NewestMerge: "m"},
			rules.Overtaken,
		},
	} {
		if got, _ := c.h.Plan(s, c.in); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestDirspaceIsApplied has the rows of orchestration, 12.2.
func TestDirspaceIsApplied(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		h    rules.History
		want bool
	}{
		{"nothing", nil, false},
		{"a plan with changes", history("plan 1 b h ok changes"), false},
		{"a plan without changes", history("plan 1 b h ok"), true},
		{"a failed plan", history("plan 1 b h"), false},
		{"an apply", history("plan 1 b h ok changes", "apply 1 b h ok"), true},
		{"a failed apply", history("plan 1 b h ok changes", "apply 1 b h"), false},
		{"an apply of an older head", history("apply 1 b old ok"), false},
		{"a new plan with changes after an apply", history("apply 1 b h ok", "plan 1 b h ok changes"), false},
		{"a new plan without changes after an apply", history("apply 1 b h ok", "plan 1 b h ok"), true},
		{"an apply of another pull request", history("apply 2 b h ok"), false},
	} {
		if got := c.h.Applied(subject, rules.Repository{}); got != c.want {
			t.Errorf("%s: got %t", c.name, got)
		}
	}
}

// TestPullRequestHoldsItsLocks has the tables of orchestration, 13.
func TestPullRequestHoldsItsLocks(t *testing.T) {
	t.Parallel()
	a, b := run.Dirspace{Dir: "a", Workspace: "default"}, run.Dirspace{Dir: "b", Workspace: "default"}
	open, closed, merged := subject, subject, subject
	closed.State = rules.Closed
	merged.State, merged.MergedAt = rules.Merged, 5
	unlocked := func(s rules.Subject, at int64) rules.Subject { s.Unlocked = at; return s }
	const applied, failed, planned, same = "apply 1 b h ok", "apply 1 b h", "plan 1 b h ok changes", "plan 1 b h ok"
	for _, c := range []struct {
		name   string
		s      rules.Subject
		policy repoconfig.LockPolicy
		a, b   rules.History
		want   rules.LockReason
	}{
		{"open, planned", open, "strict", history(planned), nil, ""},
		{"open, one of two applied", open, "strict", history(applied), history(planned), rules.LockedByApply},
		{"open, a failed apply", open, "strict", history(failed), nil, rules.LockedByApply},
		{"open, applied, policy apply", open, "apply", history(applied), nil, rules.LockedByApply},
		{"open, applied, policy merge", open, "merge", history(applied), nil, ""},
		{"open, applied, policy none", open, "none", history(applied), nil, ""},
		{"open, applied before an unlock", unlocked(open, 1), "strict", history(applied), nil, ""},
		{"closed, partly applied", closed, "strict", history(applied), nil, rules.LockedByApply},
		{"closed, nothing applied", closed, "strict", history(planned), nil, ""},
		{"merged, nothing planned", merged, "strict", nil, nil, rules.LockedByMerge},
		{"merged, planned with changes", merged, "strict", history(planned), history(same), rules.LockedByMerge},
		{"merged, applied and without changes", merged, "strict", history(applied), history(same), ""},
		{"merged, a failed apply", merged, "merge", history(failed), history(same), rules.LockedByMerge},
		{"merged, policy apply", merged, "apply", history(planned), nil, ""},
		{"merged, policy none", merged, "none", history(planned), nil, ""},
		{"merged, unlocked afterwards", unlocked(merged, 6), "strict", history(planned), nil, ""},
		{"merged, unlocked before the merge", unlocked(merged, 4), "strict", nil, nil, rules.LockedByMerge},
	} {
		o := rules.Owner{Subject: c.s, Set: []rules.Holding{{Dirspace: a, Policy: c.policy}, {Dirspace: b, Policy: c.policy}}}
		h := rules.Histories{a: c.a, b: c.b}
		if got := o.Locks(h); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		other := rules.Subject{Origin: theirs, State: rules.Open, Base: run.Ref{Branch: "main"}}
		locked := rules.Locked([]run.Dirspace{b, a}, other, []rules.Owner{o}, h)
		if want := map[bool]int{true: 2, false: 0}[c.want != ""]; len(locked) != want {
			t.Errorf("%s: another pull request meets %+v", c.name, locked)
		}
		if own := rules.Locked([]run.Dirspace{a}, c.s, []rules.Owner{o}, h); len(own) != 0 {
			t.Errorf("%s: it keeps itself away: %+v", c.name, own)
		}
	}
}

func TestLockOfADestinationBranchLetsOthersPass(t *testing.T) {
	t.Parallel()
	a := run.Dirspace{Dir: "a", Workspace: "default"}
	h := rules.Histories{a: history("apply 1 b h ok")}
	o := rules.Owner{Subject: subject, Set: []rules.Holding{{Dirspace: a, Policy: "strict", DestBranchOnly: true}}}
	for branch, want := range map[string]int{"main": 1, "release": 0} {
		other := rules.Subject{Origin: theirs, State: rules.Open, Base: run.Ref{Branch: branch}}
		if got := rules.Locked([]run.Dirspace{a}, other, []rules.Owner{o}, h); len(got) != want {
			t.Errorf("%s: got %+v", branch, got)
		}
	}
}

func TestConflictsAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	a, b := run.Dirspace{Dir: "a", Workspace: "w"}, run.Dirspace{Dir: "b", Workspace: "w"}
	list := []rules.Active{
		{Run: "own plan", Origin: mine, Type: run.Plan, CreatedAt: now.Add(-30 * time.Second), Dirspaces: []run.Dirspace{a}},
		{Run: "own apply", Origin: mine, Type: run.Apply, CreatedAt: now.Add(-2 * time.Minute), Began: true, Dirspaces: []run.Dirspace{a, b}},
		{Run: "their plan", Origin: theirs, Type: run.Plan, CreatedAt: now.Add(-2 * time.Hour), Began: true, Dirspaces: []run.Dirspace{a}},
		{Run: "drift", Origin: run.OriginOfDrift, Type: run.Plan, CreatedAt: now.Add(-2 * time.Minute), Dirspaces: []run.Dirspace{b}},
	}
	for _, c := range []struct {
		wanted run.Dirspace
		apply  bool
		want   string
	}{
		{a, false, "own apply, own plan"},
		{a, true, "their plan (stale), own apply, own plan"},
		{b, false, "own apply"},
		{b, true, "own apply, drift (stale)"},
	} {
		var got []string
		for _, k := range rules.Conflicts([]run.Dirspace{c.wanted}, c.apply, mine, list, now) {
			name := string(k.Run)
			if k.Stale {
				name += " (stale)"
			}
			got = append(got, name)
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s, apply %t: got %s, want %s", c.wanted, c.apply, text, c.want)
		}
	}
	if got := rules.Superseded([]run.Dirspace{a}, mine, list); len(got) != 1 || got[0] != "own plan" {
		t.Errorf("superseded: got %v", got)
	}
}

func repository(t *testing.T, text string, files ...string) (*matching.Repository, *matching.ChangeSet) {
	t.Helper()
	c, err := repoconfig.LoadDefaultBranch(repoconfig.File{Name: "config.yml", Text: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := matching.New(matching.Input{Config: c, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	set, err := r.ChangeSet(matching.Change{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	return r, set
}

func names(list []*matching.Member) string {
	var made []string
	for _, m := range list {
		made = append(made, m.Dir+":"+m.Workspace)
	}
	return strings.Join(made, " ")
}

// TestLayersAreWorkedOnOneAfterTheOther is orchestration, 8.5 and 16.
func TestLayersAreWorkedOnOneAfterTheOther(t *testing.T) {
	t.Parallel()
	r, set := repository(t, `
dirs:
  app: {when_modified: {depends_on: 'dir:net', autoapply: true}, workspaces: {prod: {}, test: {when_modified: {autoplan: false}}}}
stacks: {names: {one: {tag_query: 'dir:net'}, two: {tag_query: 'dir:app and workspace:prod', rules: {apply_after: [last]}}, last: {tag_query: 'workspace:test'}}}
`, "net/x.tf", "app/x.tf")
	net, prod, test := run.Dirspace{Dir: "net", Workspace: "default"}, run.Dirspace{Dir: "app", Workspace: "prod"}, run.Dirspace{Dir: "app", Workspace: "test"}
	in, h := rules.Repository{}, rules.Histories{}
	stand := func() rules.Standing { return rules.Stand(set, subject, h, in) }
	if got := names(stand().Plan(nil)); got != "net:default" {
		t.Fatalf("first layer: got %s", got)
	}
	h[net] = history("plan 1 b h ok changes kept")
	if got := stand().After([]run.Dirspace{net}, true, r); got != rules.Wait {
		t.Errorf("after the plan: %s", got)
	}
	if got := names(stand().Autoplan(false, subject, h, in)); got != "" {
		t.Errorf("a dirspace with a valid plan is planned again: %s", got)
	}
	h[net] = history("plan 1 b h ok changes kept", "apply 1 b h ok")
	if got := stand().After([]run.Dirspace{net}, false, r); got != rules.PlanNext {
		t.Errorf("after the apply: %s", got)
	}
	if got := names(stand().Plan(nil)); got != "app:prod app:test" {
		t.Errorf("second layer: %s", got)
	}
	if got := names(stand().Autoplan(false, subject, h, in)); got != "app:prod" {
		t.Errorf("automatic plan: %s", got)
	}
	if got := names(stand().Apply(nil, r)); got != "app:test" {
		t.Errorf("apply before the stack in front of it: %s", got)
	}
	if got := names(stand().Autoapply(r, true)); got != "app:test" {
		t.Errorf("automatic apply: %s", got)
	}
	if got := names(stand().Autoapply(r, false)); got != "" {
		t.Errorf("automatic apply before the merge: %s", got)
	}
	h[test] = history("plan 1 b h ok")
	if got := names(stand().Apply(nil, r)); got != "app:prod" {
		t.Errorf("apply after the stack in front of it: %s", got)
	}
	h[prod] = history("apply 1 b h ok")
	if got := stand(); !got.Done() || got.After([]run.Dirspace{prod}, false, r) != rules.Finished || got.Plan(nil) != nil {
		t.Errorf("got %+v", got)
	}
}

func TestStackWithAutoApplyIsAppliedAfterItsPlan(t *testing.T) {
	t.Parallel()
	r, set := repository(t, "stacks: {names: {s: {tag_query: '', rules: {auto_apply: true}}}}", "a/x.tf")
	a := []run.Dirspace{{Dir: "a", Workspace: "default"}}
	h := rules.Histories{a[0]: history("plan 1 b h ok changes kept")}
	if got := rules.Stand(set, subject, h, rules.Repository{}).After(a, true, r); got != rules.ApplyNext {
		t.Errorf("after the plan: %s", got)
	}
	h[a[0]] = history("plan 1 b h ok changes kept", "apply 1 b h")
	if got := rules.Stand(set, subject, h, rules.Repository{}).After(a, false, r); got != rules.Wait {
		t.Errorf("after a failed apply: %s", got)
	}
}

// TestRunsAreSplit is orchestration, 9.
func TestRunsAreSplit(t *testing.T) {
	t.Parallel()
	_, set := repository(t, `
dirs: {a: {workspaces: {x: {}, y: {}, z: {tags: [prod]}}}}
workflows: [{tag_query: prod, environment: production}, {tag_query: 'dir:d', runs_on: big}]
`, "a/x.tf", "b/x.tf", "c/x.tf", "d/x.tf")
	for most, want := range map[int]string{
		0: "[a:x b:default c:default] [a:y] [d:default] [a:z]",
		2: "[a:x b:default] [c:default] [a:y] [d:default] [a:z]",
		1: "[a:x] [b:default] [c:default] [a:y] [d:default] [a:z]",
	} {
		var got []string
		for _, b := range rules.Batches(set.Members, most) {
			got = append(got, "["+names(b.Members)+"]")
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%d: got %s, want %s", most, text, want)
		}
	}
}

func TestRunHasNoMoreDirspacesThanItCanHold(t *testing.T) {
	t.Parallel()
	var list []*matching.Member
	for i := range run.MaxDirspaces + 1 {
		list = append(list, &matching.Member{Dirspace: &matching.Dirspace{Dirspace: run.Dirspace{Dir: fmt.Sprintf("%05d", i), Workspace: "default"}}})
	}
	for _, most := range []int{0, run.MaxDirspaces + 1} {
		got := rules.Batches(list, most)
		if len(got) != 2 || len(got[0].Members) != run.MaxDirspaces || len(got[1].Members) != 1 {
			t.Errorf("%d: %d runs", most, len(got))
		}
	}
}

// TestRequirementsOfAnApply has the rows of orchestration, 11.1 and 28.2.
func TestRequirementsOfAnApply(t *testing.T) {
	t.Parallel()
	approved := func(text string) string {
		return "apply_requirements: {checks: [{tag_query: '', approved: {enabled: true, " + text + "}}]}"
	}
	approves := func(logins ...string) func(*rules.Facts) {
		return func(f *rules.Facts) {
			for _, login := range logins {
				f.Reviews = append(f.Reviews, rules.Review{Login: login, Verdict: rules.Approves})
			}
		}
	}
	status := func(name string, runner bool) func(*rules.Facts) {
		return func(f *rules.Facts) { f.Statuses = append(f.Statuses, rules.Status{Name: name, Runner: runner}) }
	}
	for _, c := range []struct {
		name, text string
		change     func(*rules.Facts)
		want       bool
	}{
		{"defaults", "", func(*rules.Facts) {}, true},
		{"a conflict", "", func(f *rules.Facts) { f.Mergeable = false }, false},
		{"a conflict that does not matter", "apply_requirements: {checks: {merge_conflicts: {enabled: false}}}", func(f *rules.Facts) { f.Mergeable = false }, true},
		{"a draft", "", func(f *rules.Facts) { f.Draft = true }, false},
		{"a draft that may be applied", "apply_requirements: {checks: [{tag_query: '', require_ready_for_review_pr: false}]}", func(f *rules.Facts) { f.Draft = true }, true},
		{"a failed status", "", status("test", false), false},
		{"own statuses", "", status("terrateam apply: a default", false), true},
		{"the aggregate", "", status("terrateam apply", false), true},
		{"a check of the host's CI", "", status("build", true), true},
		{"an ignored status", "apply_requirements: {checks: [{tag_query: '', status_checks: {ignore_matching: ['^te.t$']}}]}", status("test", false), true},
		{"an ignored name with special characters", "apply_requirements: {checks: [{tag_query: '', status_checks: {ignore_matching: ['ci/te-st (1)']}}]}", status("ci/te-st (1)", false), true},
		{"statuses do not matter", "apply_requirements: {checks: {status_checks: {enabled: false}}}", status("test", false), true},
		{"no entry", "apply_requirements: {checks: []}", func(*rules.Facts) {}, false},
		{"no entry that matches", "apply_requirements: {checks: [{tag_query: 'dir:zz'}]}", func(*rules.Facts) {}, false},
		{"apply after merge", "apply_requirements: {checks: [{tag_query: '', apply_after_merge: {enabled: true}}]}", func(*rules.Facts) {}, false},
		{"apply after merge, merged", "apply_requirements: {checks: [{tag_query: '', apply_after_merge: {enabled: true}}]}", func(f *rules.Facts) { f.State = rules.Merged }, true},
		{"merged with everything else failing", approved("any_of: ['*']"), func(f *rules.Facts) { f.State, f.Mergeable, f.Draft = rules.Merged, false, true }, true},
		{"no approval", approved("any_of: ['*']"), func(*rules.Facts) {}, false},
		{"one approval", approved("any_of: ['*']"), approves("bob"), true},
		{"the author's approval", approved("any_of: ['*']"), approves("Ann"), false},
		{"one approval of two", approved("any_of: ['*'], any_of_count: 2"), approves("bob", "BOB"), false},
		{"two approvals", approved("any_of: ['*'], any_of_count: 2"), approves("bob", "eve"), true},
		{"of a user", approved("any_of: ['user:Bob']"), approves("bob"), true},
		{"of another user", approved("any_of: ['user:carl']"), approves("bob"), false},
		{"of a team", approved("any_of: ['team:sre']"), approves("bob"), true},
		{"of a stronger role", approved("any_of: ['role:write']"), approves("eve"), true},
		{"of a weaker role", approved("any_of: ['role:admin']"), approves("bob"), false},
		{"of somebody unknown", approved("any_of: ['role:read']"), approves("zoe"), false},
		{"all_of", approved("all_of: ['team:sre', 'role:admin']"), approves("bob", "eve"), true},
		{"all_of, one missing", approved("all_of: ['team:sre', 'role:admin']"), approves("bob"), false},
		{"all_of and any_of", approved("all_of: ['team:sre'], any_of: ['user:eve']"), approves("bob"), false},
		{"the older form", "apply_requirements: {checks: {approved: {enabled: true, count: 2}}}", approves("bob", "eve"), true},
		{"the older form, too few", "apply_requirements: {checks: {approved: {enabled: true, count: 2}}}", approves("bob"), false},
		{"requested reviews are open", approved("any_of: ['*'], require_completed_reviews: true"), func(f *rules.Facts) { approves("bob")(f); f.Requested = 1 }, false},
		{"approved, then changes requested", approved("any_of: ['*']"), func(f *rules.Facts) {
			f.Reviews = []rules.Review{{Login: "bob", Verdict: rules.Approves}, {Login: "bob", Verdict: rules.Rejects}}
		}, false},
		{"changes requested, then approved", approved("any_of: ['*']"), func(f *rules.Facts) {
			f.Reviews = []rules.Review{{Login: "bob", Verdict: rules.Rejects}, {Login: "bob", Verdict: rules.Approves}}
		}, true},
		{"a dismissed approval", approved("any_of: ['*']"), func(f *rules.Facts) {
			f.Reviews = []rules.Review{{Login: "bob", Verdict: rules.Approves}, {Login: "bob", Verdict: rules.Dismissed}}
		}, false},
	} {
		config, err := repoconfig.LoadDefaultBranch(repoconfig.File{Name: "config.yml", Text: []byte(c.text)})
		if err != nil {
			t.Fatal(err)
		}
		_, set := repository(t, "", "a/x.tf")
		facts := rules.Facts{State: rules.Open, Mergeable: true, Author: "ann", People: rules.People{"bob": {Role: "write", Teams: []string{"sre"}}, "eve": {Role: "admin"}}}
		c.change(&facts)
		got := rules.Requirements(config.Requirements, []*matching.Dirspace{set.Members[0].Dirspace}, facts)
		if got[0].Met() != c.want {
			t.Errorf("%s: got %s", c.name, fmt.Sprintf("%+v", got[0]))
		}
	}
}
