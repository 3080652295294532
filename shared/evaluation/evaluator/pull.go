package evaluator

import (
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// pull is what the evaluator remembers of a pull request, besides what the host and the
// runs say. Its JSON form is the one that is stored.
type pull struct {
	// Head is the commit at the last evaluation.
	Head string `json:"head,omitempty"`
	// State is that of the last evaluation.
	State rules.State `json:"state,omitempty"`
	// Planned names for what an automatic plan was decided: the commits, and whether it
	// was a draft. A repeated delivery finds it and starts nothing.
	Planned string `json:"planned,omitempty"`
	// Applied names for which merge an automatic apply was decided.
	Applied string `json:"applied,omitempty"`
	// Told is the digest of the last text that no command asked for. It is not said twice
	// in a row.
	Told string `json:"told,omitempty"`
	// Noted names the merge that was recorded.
	Noted string `json:"noted,omitempty"`
	// Retried is the head for which a run with the wrong commit was made again.
	Retried string `json:"retried,omitempty"`
	// Trigger is the word with which people of this pull request write commands.
	Trigger string `json:"trigger,omitempty"`
	// Jobs are those whose runs have not all ended.
	Jobs []job `json:"jobs,omitempty"`
	// Statuses are the statuses of Head that this server has given.
	Statuses map[string]vcshost.CheckState `json:"statuses,omitempty"`
	// Shown are the comments with the last results. The next result folds them.
	Shown []shown `json:"shown,omitempty"`
	// Approvals are those of gates, the newest last.
	Approvals []approval `json:"approvals,omitempty"`
	// Waits is what people have to do.
	Waits *waits `json:"waits,omitempty"`
	// Merging is the head for which a merge was decided.
	Merging string `json:"merging,omitempty"`
}

// waits is what a pull request waits for, and since when.
type waits struct {
	For   WaitsFor  `json:"for"`
	Since time.Time `json:"since"`
}

// shown is a comment with a result.
type shown struct {
	Comment string `json:"comment"`
	// Decision is the id of the decision that wrote it.
	Decision string `json:"decision"`
}

// job is what one decision has started: a plan or an apply of some dirspaces, in one run
// or several.
type job struct {
	// ID names the job. It is that of the decision.
	ID        string          `json:"id"`
	Operation rules.Operation `json:"operation"`
	// Automatic says that no person wrote a command for it.
	Automatic bool `json:"automatic,omitempty"`
	// Login and Account are who asked for it.
	Login  string          `json:"login,omitempty"`
	Actor  vcshost.Profile `json:"actor"`
	Query  string          `json:"query,omitempty"`
	Runs   []run.ID        `json:"runs"`
	Ended  []run.ID        `json:"ended,omitempty"`
	Denied []run.Dirspace  `json:"denied,omitempty"`
	// Head is the commit whose statuses the job has changed. Pending are the names of
	// those that say that it is under way.
	Head    string    `json:"head,omitempty"`
	Pending []string  `json:"pending,omitempty"`
	Created time.Time `json:"created"`
}

// apply reports whether the job changes infrastructure.
func (j job) apply() bool {
	return j.Operation != rules.OpPlan && j.Operation != rules.OpApplyAutoapprove
}

// over reports whether all runs of the job have ended.
func (j job) over() bool { return len(j.Ended) >= len(j.Runs) }

// jobOf returns the job that a run belongs to, or nil.
func (p *pull) jobOf(id run.ID) *job {
	for i := range p.Jobs {
		if slices.Contains(p.Jobs[i].Runs, id) {
			return &p.Jobs[i]
		}
	}
	return nil
}

// end notes the end of a run. It returns the job of the run, which is no longer among the
// jobs if all of its runs have ended. ok is false if no job has the run.
func (p *pull) end(id run.ID) (j job, ok bool) {
	found := p.jobOf(id)
	if found == nil {
		return job{}, false
	}
	if !slices.Contains(found.Ended, id) {
		found.Ended = append(found.Ended, id)
	}
	j = *found
	if j.over() {
		p.Jobs = slices.DeleteFunc(p.Jobs, func(other job) bool { return other.ID == j.ID })
	}
	return j, true
}

// at begins the statuses anew for a commit.
func (p *pull) at(head string) {
	if p.Head != head {
		p.Head, p.Statuses = head, nil
	}
}

// trigger returns the word with which people write commands.
func (p *pull) trigger() string {
	if p.Trigger == "" {
		return defaultTrigger
	}
	return p.Trigger
}

// defaultTrigger is the word that texts use before somebody wrote a command.
const defaultTrigger = "terrateam"
