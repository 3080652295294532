package runstore

import (
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// AuditRecord is the audit.Owner of runs. It records who made a run and who ended it,
// when its runner began, and its removal. What the dispatcher notes in between is
// housekeeping.
func AuditRecord(c audit.Change) (audit.Record, bool) {
	id, isRun := strings.CutPrefix(c.PK, "RUN#")
	now := c.Now()
	if !isRun || c.SK != sortKey || !run.State(now.Text("state")).Visible() {
		return audit.Record{}, false
	}
	action, ok := action(c)
	if !ok {
		return audit.Record{}, false
	}
	r := c.Record(action, id).In(vcs.Installation{VCS: vcs.VCS(now.Text("vcs")), ID: vcs.ID(now.Text("installation"))})
	if was := run.State(c.Before.Text("state")); was.Visible() {
		r.Before = map[string]any{"state": string(was)}
	}
	r.After = about(now)
	return r, true
}

// action returns what a change does to a visible run. It returns false for a change
// that has no record.
func action(c audit.Change) (string, bool) {
	switch c.Verb() {
	case "erase":
		return "run.erase", true
	case "remove":
		return "run.remove", true
	}
	if c.Before.Text("state") == c.After.Text("state") {
		return "", false
	}
	switch run.State(c.After.Text("state")) {
	case run.Queued:
		return "run.create", true
	case run.Running:
		return "run.start", true
	case run.Completed:
		return "run.complete", true
	case run.Aborted:
		return "run.abort", true
	default:
		return "", false
	}
}

// shown has the names under which a record shows the attributes of a run. None of
// them is a secret. The tag query and the manifest may be large, and are left out.
var shown = map[string]string{
	"state": "state", "repository": "repository", "owner": "owner", "name": "name", "kind": "kind", "pull_number": "pr",
	"base_branch": "base_branch", "branch": "branch", "commit": "branch_ref", "environment": "environment", "user": "user",
	"dirspaces": "dir_count", "url": "url", "success": "success", "reason": "reason", "reason_text": "reason_text",
}

// about returns what a record shows of a run. Every record of a run names the same
// facts, so that a reader needs no other record to understand it.
func about(i audit.Image) map[string]any {
	all := i.ShowAs(shown)
	all["type"] = string(run.Type(i.Text("type")).Shown())
	if !i.Has("success") {
		return all
	}
	failed, changed, destroying := 0, 0, 0
	for _, o := range run.DecodeOutcomes([]byte(i.Text("outcomes"))) {
		if !o.Has(run.Succeeded) {
			failed++
		}
		if o.Has(run.HasChanges) {
			changed++
		}
		if o.Has(run.Destroys) {
			destroying++
		}
	}
	all["failed"], all["changed"], all["destroying"] = failed, changed, destroying
	return all
}

// AuditUnlock is the audit.Owner of unlocks: who made the runs of a pull request, of a
// branch, or those that look for drift void, and so released what they held.
func AuditUnlock(c audit.Change) (audit.Record, bool) {
	rest, ofRepository := strings.CutPrefix(c.PK, "REPO#")
	origin, isUnlock := strings.CutPrefix(c.SK, unlockPrefix)
	if !ofRepository || !isUnlock || len(c.After) == 0 {
		return audit.Record{}, false
	}
	system, repository, _ := strings.Cut(rest, "#")
	r := c.Record("lock.release", repository+"#"+origin)
	r.After = map[string]any{"repository": repository, "user": c.After.Text("by")}
	number, err := strconv.ParseInt(origin, 10, 64)
	branch, ofBranch := strings.CutPrefix(origin, string(run.OriginOfBranch("")))
	switch {
	case err == nil:
		r.After["kind"], r.After["pull_number"] = string(run.PullRequest), number
	case ofBranch:
		r.After["kind"], r.After["branch"] = string(run.Branch), branch
	default:
		r.After["kind"] = string(run.Drift)
	}
	return r.In(vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(c.After.Text("installation"))}), true
}
