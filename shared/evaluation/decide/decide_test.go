package decide_test

import (
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/tagquery"
)

var (
	now  = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	a, b = run.Dirspace{Dir: "a", Workspace: "default"}, run.Dirspace{Dir: "b", Workspace: "default"}
)

// world is a pull request that changes the directories a and b.
func world(t *testing.T, config string) decide.Snapshot {
	t.Helper()
	c, err := repoconfig.LoadDefaultBranch(repoconfig.File{Name: "config.yml", Text: []byte(config)})
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"a/x.tf", "b/x.tf", "c/x.tf"}
	tree, err := matching.New(matching.Input{Config: c, Files: files, Source: "f", Destination: "main"})
	if err != nil {
		t.Fatal(err)
	}
	set, err := tree.ChangeSet(matching.Change{Files: files[:2]})
	if err != nil {
		t.Fatal(err)
	}
	return decide.Snapshot{
		Now: now, Sign: "#", CIFile: "ci.yml", DefaultBranch: "main", Config: c, Tree: tree, Set: set, Changed: files[:2],
		Subject: rules.Subject{Origin: "1", State: rules.Open, Base: run.Ref{Branch: "main", Commit: "m"}, Head: run.Ref{Branch: "f", Commit: "h"}},
		Results: rules.Histories{}, Facts: rules.Facts{State: rules.Open, Mergeable: true, Author: "ann"},
		RunURL: func(id run.ID) string { return "https://ops.example/" + string(id) },
	}
}

func planned(order int64, changes bool) rules.Result {
	return rules.Result{Order: order, Origin: "1", Base: "m", Head: "h", Success: true, HasChanges: changes, PlanKept: true}
}

func applied(order int64, origin run.Origin) rules.Result {
	return rules.Result{Order: order, Origin: origin, Apply: true, Base: "m", Head: "h", Success: true}
}

// summary returns a decision as "TYPE DIRS; TYPE DIRS".
func summary(d decide.Decision) string {
	var made []string
	for _, r := range d.Runs {
		text := string(r.Type)
		for _, m := range r.Batch.Members {
			text += " " + m.Dir
		}
		made = append(made, text)
	}
	return strings.Join(made, "; ")
}

type row struct {
	name, config, query string
	operation           rules.Operation
	automatic           bool
	change              func(*decide.Snapshot)
	runs                string
	refusal             decide.Refusal
	comment             string // a part of it; "-" for none
	aggregate           decide.Mark
}

func (r row) request(t *testing.T) decide.Request {
	t.Helper()
	q, err := tagquery.Parse(r.query)
	if err != nil {
		t.Fatal(err)
	}
	return decide.Request{
		Operation: r.operation, Query: repoconfig.Query{Expr: q, Text: r.query}, Automatic: r.automatic, Trigger: "terraform",
		Actor: rules.Actor{Login: "bob", People: rules.People{"bob": {Role: "write"}}},
	}
}

func check(t *testing.T, r row, d decide.Decision) {
	t.Helper()
	if got := summary(d); got != r.runs {
		t.Errorf("%s: runs %q, want %q", r.name, got, r.runs)
	}
	if d.Refusal != r.refusal {
		t.Errorf("%s: refusal %q, want %q", r.name, d.Refusal, r.refusal)
	}
	if r.comment == "-" && d.Comment != "" || r.comment != "-" && !strings.Contains(d.Comment, r.comment) {
		t.Errorf("%s: comment %q, want %q", r.name, d.Comment, r.comment)
	}
	if d.Aggregate != r.aggregate {
		t.Errorf("%s: aggregate %q, want %q", r.name, d.Aggregate, r.aggregate)
	}
}

func active(id run.ID, origin run.Origin, of run.Type, age time.Duration, list ...run.Dirspace) func(*decide.Snapshot) {
	return func(s *decide.Snapshot) {
		s.Active = append(s.Active, rules.Active{Run: id, Origin: origin, Type: of, CreatedAt: now.Add(-age), Began: true, Dirspaces: list})
	}
}

// TestPlanFlow has the rows of orchestration, 10, and 28.1 and 28.3.
func TestPlanFlow(t *testing.T) {
	t.Parallel()
	all := func(fs ...func(*decide.Snapshot)) func(*decide.Snapshot) {
		return func(s *decide.Snapshot) {
			for _, f := range fs {
				f(s)
			}
		}
	}
	nothing := func(*decide.Snapshot) {}
	done := func(s *decide.Snapshot) {
		s.Results = rules.Histories{a: {planned(1, true), applied(2, "1")}, b: {planned(1, false)}}
	}
	for _, r := range []row{
		{name: "automatic", automatic: true, change: nothing, runs: "plan a b", comment: "-", aggregate: decide.Pending},
		{name: "by command", change: nothing, query: "dir:a", runs: "plan a", comment: "-", aggregate: decide.Pending},
		{name: "1: closed", change: func(s *decide.Snapshot) { s.Subject.State = rules.Closed }, refusal: decide.ClosedAlready, comment: "-"},
		{name: "2: mistakes", automatic: true, change: func(s *decide.Snapshot) { s.Mistakes = repoconfig.Mistakes{{Problem: "wrong"}}; s.Config = nil }, refusal: decide.Misconfigured, comment: "wrong"},
		{name: "2: disabled", config: "enabled: false", change: nothing, refusal: decide.Disabled, comment: "-"},
		{name: "4: no match, by command", query: "dir:zz", change: nothing, refusal: decide.NothingToDo, comment: "No directory", aggregate: decide.Pending},
		{name: "4: everything applied, by command", change: done, refusal: decide.NothingToDo, comment: "Everything", aggregate: decide.Green},
		{name: "4: everything applied, automatic", automatic: true, change: done, refusal: decide.NothingToDo, comment: "-", aggregate: decide.Green},
		{name: "28.1: autoplan off does not turn the status green", automatic: true, config: "when_modified: {autoplan: false}", change: nothing, refusal: decide.NothingToDo, comment: "-", aggregate: decide.Pending},
		{name: "a draft that is not planned", automatic: true, config: "when_modified: {autoplan_draft_pr: false}", change: func(s *decide.Snapshot) { s.Facts.Draft = true }, refusal: decide.NothingToDo, comment: "-", aggregate: decide.Pending},
		{name: "a valid plan is not made again by itself", automatic: true, change: func(s *decide.Snapshot) { s.Results[a] = rules.History{planned(1, true)} }, runs: "plan b", comment: "-", aggregate: decide.Pending},
		{name: "6: files", config: "access_control: {policies: [{tag_query: ''}], files: {a/x.tf: ['role:admin']}}", change: nothing, refusal: decide.AccessDenied, comment: "a/x.tf", aggregate: decide.Pending},
		{name: "6: some denied", config: "access_control: {policies: [{tag_query: 'dir:a'}]}", change: nothing, runs: "plan a", comment: "-", aggregate: decide.Pending},
		{name: "6: all needed", config: "access_control: {plan_require_all_dirspace_access: true, policies: [{tag_query: 'dir:a'}]}", change: nothing, refusal: decide.AccessDenied, comment: "no policy", aggregate: decide.Pending},
		{name: "7: branch, by command", config: "destination_branches: [release]", change: nothing, refusal: decide.WrongBranch, comment: "destination_branches"},
		{name: "7: branch, automatic", automatic: true, config: "destination_branches: [release]", change: nothing, refusal: decide.WrongBranch, comment: "-"},
		{name: "9: conflict", automatic: true, change: func(s *decide.Snapshot) { s.Facts.Mergeable = false }, refusal: decide.Conflicted, comment: "merge conflict", aggregate: decide.Pending},
		{name: "6: conflict is unknown", change: func(s *decide.Snapshot) { s.Facts.Mergeable, s.Facts.MergeUnknown = false, true }, refusal: decide.Unsettled, comment: "again in a minute", aggregate: decide.Pending},
		{name: "6: conflict is unknown, automatic", automatic: true, change: func(s *decide.Snapshot) { s.Facts.Mergeable, s.Facts.MergeUnknown = false, true }, refusal: decide.Unsettled, comment: "-", aggregate: decide.Pending},
		{name: "6: conflict is unknown of what was merged", change: func(s *decide.Snapshot) {
			s.Subject.State, s.Facts.Mergeable, s.Facts.MergeUnknown = rules.Merged, false, true
		}, runs: "plan a b", comment: "-", aggregate: decide.Pending},
		{name: "11: own apply runs", change: active("x", "1", run.Apply, time.Minute, a), refusal: decide.Busy, comment: "Wait until", aggregate: decide.Pending},
		{name: "11: own apply is stale", change: active("x", "1", run.Apply, 2*time.Hour, a), refusal: decide.Busy, comment: "terraform unlock", aggregate: decide.Pending},
		{name: "11: apply of others", change: all(active("x", "2", run.Apply, time.Minute, a), active("y", run.OriginOfDrift, run.Plan, time.Minute, a)), runs: "plan a b", comment: "-", aggregate: decide.Pending},
		{name: "28.3: fork", automatic: true, change: func(s *decide.Snapshot) { s.Fork = true }, refusal: decide.ForkRefused, comment: "in a fork"},
	} {
		r.operation = rules.OpPlan
		s := world(t, r.config)
		r.change(&s)
		check(t, r, decide.Plan(s, r.request(t)))
	}
}

func TestNewPlanTakesThePlaceOfOlderOnes(t *testing.T) {
	t.Parallel()
	s := world(t, "")
	active("old", "1", run.Plan, time.Minute, a)(&s)
	active("other", "1", run.Plan, time.Minute, run.Dirspace{Dir: "c", Workspace: "default"})(&s)
	active("theirs", "2", run.Plan, time.Minute, a)(&s)
	d := decide.Plan(s, decide.Request{Operation: rules.OpPlan, Automatic: true})
	if len(d.Abort) != 1 || d.Abort[0] != "old" || len(d.Runs) != 1 {
		t.Errorf("got %+v", d)
	}
}

// TestApplyFlow has the rows of orchestration, 11.
func TestApplyFlow(t *testing.T) {
	t.Parallel()
	both := func(s *decide.Snapshot) {
		s.Results = rules.Histories{a: {planned(1, true)}, b: {planned(1, true)}}
	}
	and := func(more func(*decide.Snapshot)) func(*decide.Snapshot) {
		return func(s *decide.Snapshot) { both(s); more(s) }
	}
	theirs := func(s *decide.Snapshot) {
		s.Results[a] = append(rules.History{applied(0, "7")}, s.Results[a]...)
		s.Owners = []rules.Owner{{Subject: rules.Subject{Origin: "7", State: rules.Open, Unlocked: -1}, Set: []rules.Holding{{Dirspace: a, Policy: repoconfig.LockStrict}}}}
	}
	merged := func(s *decide.Snapshot) {
		s.Subject.State, s.Subject.MergedAt, s.Facts.State = rules.Merged, 5, rules.Merged
		s.Merges = rules.Repository{Merges: map[run.Origin]int64{"1": 5}, NewestMerge: "n"}
	}
	for _, r := range []row{
		{name: "all", change: both, runs: "apply a b", comment: "-"},
		{name: "by query", query: "dir:b", change: both, runs: "apply b", comment: "-"},
		{name: "2: nothing, by command", query: "dir:zz", change: both, refusal: decide.NothingToDo, comment: "No directory"},
		{name: "2: nothing, automatic", automatic: true, change: both, refusal: decide.NothingToDo, comment: "-"},
		{name: "3: access", config: "access_control: {policies: [{tag_query: 'dir:a'}, {tag_query: '', apply: []}]}", change: both, refusal: decide.AccessDenied, comment: "may not apply"},
		{name: "3: access for a part", config: "access_control: {apply_require_all_dirspace_access: false, policies: [{tag_query: 'dir:a'}]}", change: both, runs: "apply a", comment: "-"},
		{name: "3: force", operation: rules.OpApplyForce, config: "access_control: {policies: [{tag_query: ''}]}", change: both, refusal: decide.AccessDenied, comment: "may not apply-force"},
		{name: "4: any run", change: and(active("x", "2", run.Plan, time.Second, a)), refusal: decide.Busy, comment: "Wait until"},
		{name: "5: no plan", change: func(s *decide.Snapshot) { s.Results[a] = rules.History{planned(1, true)} }, refusal: decide.Unplanned, comment: "`b (default)`: it was not planned"},
		{name: "5: one has a plan", query: "dir:a", change: func(s *decide.Snapshot) { s.Results[a] = rules.History{planned(1, true)} }, runs: "apply a", comment: "-"},
		{name: "5: overtaken", change: and(func(s *decide.Snapshot) { s.Results[a] = append(s.Results[a], applied(2, "7")) }), refusal: decide.Unplanned, comment: "#7 changed it"},
		{name: "5: pushed", change: and(func(s *decide.Snapshot) { s.Subject.Head.Commit = "h2" }), refusal: decide.Unplanned, comment: "since the last push"},
		{name: "5: unlocked", change: and(func(s *decide.Snapshot) { s.Subject.Unlocked = 1 }), refusal: decide.Unplanned, comment: "unlock"},
		{name: "5: forced without a plan", operation: rules.OpApplyForce, change: func(*decide.Snapshot) {}, refusal: decide.Unplanned, comment: "a plan is missing"},
		{name: "6: locked", change: and(theirs), refusal: decide.LockedOut, comment: "is locked by #7"},
		{name: "6: forced, locked", operation: rules.OpApplyForce, change: and(theirs), refusal: decide.LockedOut, comment: "is locked by #7"},
		{name: "8: conflict", change: and(func(s *decide.Snapshot) { s.Facts.Mergeable = false }), refusal: decide.Conflicted, comment: "merge conflict"},
		{name: "6: conflict is unknown", change: and(func(s *decide.Snapshot) { s.Facts.Mergeable, s.Facts.MergeUnknown = false, true }), refusal: decide.Unsettled, comment: "again in a minute"},
		{name: "9: requirements", change: and(func(s *decide.Snapshot) { s.Facts.Draft = true }), refusal: decide.NotMet, comment: "the pull request is a draft"},
		{name: "9: requirements of others", query: "dir:a", config: "apply_requirements: {checks: [{tag_query: 'dir:b', approved: {enabled: true, any_of: ['*']}}, {tag_query: ''}]}", change: both, runs: "apply a", comment: "-"},
		{name: "9: forced", operation: rules.OpApplyForce, change: and(func(s *decide.Snapshot) { s.Facts.Draft = true }), runs: "apply a b", comment: "-"},
		{name: "9: automatic after a merge", automatic: true, config: "when_modified: {autoapply: true}\napply_requirements: {checks: []}", change: and(merged), runs: "apply a b", comment: "-"},
		{name: "closed", change: and(func(s *decide.Snapshot) { s.Subject.State = rules.Closed }), refusal: decide.ClosedAlready, comment: "-"},
	} {
		if r.operation == "" {
			r.operation = rules.OpApply
		}
		s := world(t, r.config)
		r.change(&s)
		check(t, r, decide.Apply(s, r.request(t)))
	}
}

// TestOnlyAsksForAllOrNothing names the dirspaces that are wanted, as the API does.
func TestOnlyAsksForAllOrNothing(t *testing.T) {
	t.Parallel()
	c := run.Dirspace{Dir: "c", Workspace: "default"}
	for name, one := range map[string]struct {
		config  string
		only    []run.Dirspace
		runs    string
		refusal decide.Refusal
	}{
		"one":                {only: []run.Dirspace{a}, runs: "plan a"},
		"all":                {only: []run.Dirspace{a, b}, runs: "plan a b"},
		"one is no member":   {only: []run.Dirspace{a, c}, refusal: decide.NothingToDo},
		"one is denied":      {config: "access_control: {policies: [{tag_query: 'dir:a'}]}", only: []run.Dirspace{a, b}, refusal: decide.AccessDenied},
		"another is denied":  {config: "access_control: {policies: [{tag_query: 'dir:a'}]}", only: []run.Dirspace{a}, runs: "plan a"},
		"none is named: all": {runs: "plan a b"},
	} {
		s := world(t, one.config)
		q := row{operation: rules.OpPlan}.request(t)
		q.Only = one.only
		if d := decide.Plan(s, q); summary(d) != one.runs || d.Refusal != one.refusal {
			t.Errorf("%s, plan: %q, %q; want %q, %q", name, summary(d), d.Refusal, one.runs, one.refusal)
		}
		q.Operation = rules.OpApply
		s.Results = rules.Histories{a: {planned(1, true)}, b: {planned(1, true)}}
		if d := decide.Apply(s, q); summary(d) != strings.ReplaceAll(one.runs, "plan", "apply") || d.Refusal != one.refusal {
			t.Errorf("%s, apply: %q, %q; want %q, %q", name, summary(d), d.Refusal, one.runs, one.refusal)
		}
	}
}
