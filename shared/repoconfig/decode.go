package repoconfig

import (
	"encoding/json"
	"strconv"

	"github.com/opsplane/opsplane/shared/tagquery"
)

// decode returns the typed form of a document that was checked.
func decode(d *value) *Config {
	c := &Config{
		Enabled: d.get("enabled").flag(true), WhenModified: decodeWhenModified(d.get("when_modified")),
		BranchTags: branchTags(d.get("tags").get("branch")), DestBranchTags: branchTags(d.get("tags").get("dest_branch")),
		Requirements: decodeRequirements(d.get("apply_requirements")), AccessControl: decodeAccessControl(d.get("access_control")),
		Automerge: decodeAutomerge(d.get("automerge")), Drift: decodeDrift(d.get("drift")),
		Summary:       d.get("notifications").get("summary").get("enabled").flag(false),
		ConfigBuilder: d.get("config_builder").get("enabled").flag(false), TreeBuilder: d.get("tree_builder").get("enabled").flag(false),
		Indexer: d.get("indexer").get("enabled").flag(false), document: d,
	}
	for _, m := range d.get("dirs").entries() {
		c.Dirs = append(c.Dirs, decodeDir(m))
	}
	for _, v := range d.get("workflows").list() {
		c.Workflows = append(c.Workflows, Workflow{
			Query: queryOf(v.get("tag_query")), Environment: v.get("environment").str(""), RunsOn: jsonText(v.get("runs_on")),
			LockPolicy: LockPolicy(v.get("lock_policy").str(string(LockStrict))), At: v.at,
		})
	}
	for _, m := range d.get("stacks").get("names").entries() {
		c.Stacks = append(c.Stacks, decodeStack(m))
	}
	if given := d.get("destination_branches"); given != nil {
		c.Destinations = []Destination{}
		for _, v := range given.elements {
			of := Destination{Branch: v.text, At: v.at}
			if v.kind == object {
				of.Branch, of.Sources = v.get("branch").str(""), v.get("source_branches").texts()
			}
			c.Destinations = append(c.Destinations, of)
		}
	}
	if batch := d.get("batch_runs"); batch.get("enabled").flag(false) {
		c.Batch = max(1, number64(batch.get("max_workspaces_per_batch"), 1))
	}
	for _, v := range d.get("notifications").get("policies").list() {
		c.Notifications = append(c.Notifications, Notification{
			queryOf(v.get("tag_query")), CommentStrategy(v.get("comment_strategy").str(string(CommentMinimize))),
		})
	}
	return c
}

// number64 returns a whole number, or the fallback if there is none.
func number64(v *value, fallback int) int {
	if v == nil {
		return fallback
	}
	n, _ := strconv.Atoi(v.text) // checked
	return n
}

// optional returns a boolean, or nil if there is none.
func optional(v *value) *bool {
	if v == nil {
		return nil
	}
	is := v.flag(false)
	return &is
}

// queryOf returns a tag query. No query matches everything.
func queryOf(v *value) Query {
	q := Query{Text: v.str(""), At: v.where()}
	q.Expr, _ = tagquery.Parse(q.Text) // checked
	return q
}

func decodeWhenModified(v *value) WhenModified {
	patterns := v.get("file_patterns")
	w := WhenModified{
		FilePatterns: patterns.texts(), PatternsAt: patterns.where(), Autoplan: optional(v.get("autoplan")),
		AutoplanDraft: optional(v.get("autoplan_draft_pr")), Autoapply: optional(v.get("autoapply")),
	}
	if d := v.get("depends_on"); d != nil {
		of := d
		if d.kind == object {
			of, w.PruneOnNoChange = d.get("tag_query"), d.get("prune_on_no_change").flag(false)
		}
		q := queryOf(of)
		w.DependsOn = &q
	}
	return w
}

func decodeDir(m member) Dir {
	v := m.value
	d := Dir{
		Key: m.name, At: m.at, Tags: v.get("tags").texts(), WhenModified: decodeWhenModified(v.get("when_modified")),
		LockDestBranchOnly: v.get("lock_branch_target").str("all") == "dest_branch",
	}
	for _, of := range []struct {
		name  string
		stack bool
	}{{"workspaces", false}, {"stacks", true}} {
		for _, w := range v.get(of.name).entries() {
			d.Workspaces = append(d.Workspaces, Workspace{
				Name: w.name, Stack: of.stack, Tags: w.value.get("tags").texts(), WhenModified: decodeWhenModified(w.value.get("when_modified")), At: w.at,
			})
		}
	}
	return d
}

func branchTags(v *value) []BranchTag {
	var made []BranchTag
	for _, m := range v.entries() {
		made = append(made, BranchTag{Tag: m.name, Pattern: m.value.text})
	}
	return made
}

func decodeStack(m member) Stack {
	v, rules := m.value, m.value.get("rules")
	s := Stack{
		Name: m.name, At: m.at, Stacks: v.get("stacks").texts(), ModifiedBy: rules.get("modified_by").texts(),
		PlanAfter: rules.get("plan_after").texts(), ApplyAfter: rules.get("apply_after").texts(), AutoApply: optional(rules.get("auto_apply")),
	}
	if s.PlanAfter == nil {
		s.PlanAfter = s.ModifiedBy
	}
	if q := v.get("tag_query"); q != nil {
		found := queryOf(q)
		s.Query = &found
	}
	for _, variable := range v.get("variables").entries() {
		if s.Variables == nil {
			s.Variables = map[string]string{}
		}
		s.Variables[variable.name] = variable.value.text
	}
	return s
}

func decodeRequirements(v *value) Requirements {
	r := Requirements{
		PendingStatus:   v.get("create_pending_apply_check").flag(true),
		CompletedOnNoop: v.get("create_completed_apply_check_on_noop").flag(false),
	}
	checks := v.get("checks")
	if checks == nil || checks.kind == object {
		r.Checks = []Check{decodeCheck(checks)} // the older form is one entry for all
		return r
	}
	for _, each := range checks.elements {
		r.Checks = append(r.Checks, decodeCheck(each))
	}
	return r
}

func decodeCheck(v *value) Check {
	statuses, approved := v.get("status_checks"), v.get("approved")
	c := Check{
		Query: queryOf(v.get("tag_query")), At: v.where(),
		MergeConflicts: v.get("merge_conflicts").get("enabled").flag(true), StatusChecks: statuses.get("enabled").flag(true),
		IgnoreMatching: statuses.get("ignore_matching").texts(), ApplyAfterMerge: v.get("apply_after_merge").get("enabled").flag(false),
		ReadyForReview: v.get("require_ready_for_review_pr").flag(true),
		Approved: Approved{
			Enabled: approved.get("enabled").flag(false), AllOf: approved.get("all_of").texts(), AnyOf: approved.get("any_of").texts(),
			AnyOfCount: number64(approved.get("any_of_count"), 1), RequireCompletedReviews: approved.get("require_completed_reviews").flag(false),
		},
	}
	if a := &c.Approved; a.Enabled && a.AllOf == nil && a.AnyOf == nil {
		a.Count = number64(approved.get("count"), 1) // the older form
	}
	return c
}

var everybody = []string{"*"}

// people returns a list of people, or the fallback if there is none.
func people(v *value, fallback []string) []string {
	if v == nil {
		return fallback
	}
	return v.texts()
}

func decodeAccessControl(v *value) AccessControl {
	a := AccessControl{
		Enabled: v != nil && v.get("enabled").flag(true),
		Unlock:  people(v.get("unlock"), everybody), ConfigUpdate: people(v.get("terrateam_config_update"), everybody),
		CIUpdate:         people(v.get("ci_config_update"), everybody),
		ApplyRequiresAll: v.get("apply_require_all_dirspace_access").flag(true), PlanRequiresAll: v.get("plan_require_all_dirspace_access").flag(false),
	}
	for _, p := range v.get("policies").list() {
		a.Policies = append(a.Policies, Policy{
			Query: queryOf(p.get("tag_query")), At: p.at,
			Plan: people(p.get("plan"), everybody), Apply: people(p.get("apply"), everybody),
			ApplyAutoapprove: people(p.get("apply_autoapprove"), nil), ApplyForce: people(p.get("apply_force"), nil),
			ApplyWithSuperapproval: people(p.get("apply_with_superapproval"), nil), Superapproval: people(p.get("superapproval"), nil),
		})
	}
	for _, m := range v.get("files").entries() {
		a.Files = append(a.Files, FileAccess{m.name, m.value.texts()})
	}
	return a
}

func decodeAutomerge(v *value) Automerge {
	return Automerge{
		Enabled: v.get("enabled").flag(false), DeleteBranch: v.get("delete_branch").flag(false),
		RequireExplicitApply: v.get("require_explicit_apply").flag(false), RetainTitle: v.get("retain_pr_title").flag(false),
		Strategy: MergeStrategy(v.get("merge_strategy").str(string(MergeAuto))),
	}
}

func decodeDrift(v *value) []DriftSchedule {
	if !v.get("enabled").flag(false) {
		return nil
	}
	one := func(name string, of *value) DriftSchedule {
		s := DriftSchedule{
			Name: name, Every: Interval(of.get("schedule").str("")), Query: queryOf(of.get("tag_query")),
			Reconcile: of.get("reconcile").flag(false), At: of.at,
		}
		if w := of.get("window"); w != nil {
			start, _ := parseTimeOfDay(w.get("start").text) // checked
			end, _ := parseTimeOfDay(w.get("end").text)
			s.Window = &Window{start, end}
		}
		return s
	}
	if v.get("schedules") == nil {
		return []DriftSchedule{one("", v)}
	}
	var made []DriftSchedule
	for _, m := range v.get("schedules").entries() {
		made = append(made, one(m.name, m.value))
	}
	return made
}

// jsonText returns a value as JSON text; of nil the empty text.
func jsonText(v *value) string {
	if v == nil {
		return ""
	}
	text, err := json.Marshal(v.plain())
	if err != nil {
		return "" // there is no such value
	}
	return string(text)
}
