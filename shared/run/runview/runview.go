// Package runview has the form in which the API shows runs. It does no I/O.
package runview

import (
	"cmp"

	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Common is what the rows of all lists show of a run.
type Common struct {
	BaseBranch  string `json:"base_branch"`
	BaseRef     string `json:"base_ref"`
	Branch      string `json:"branch"`
	BranchRef   string `json:"branch_ref"`
	CompletedAt string `json:"completed_at,omitempty"`
	CreatedAt   string `json:"created_at"`
	Environment string `json:"environment,omitempty"`
	ID          run.ID `json:"id"`
	// Kind is a text, or a PullRequest. KindName is what the key kind of a query
	// compares.
	Kind     any          `json:"kind"`
	KindName run.KindName `json:"kind_name"`
	Owner    string       `json:"owner"`
	Repo     string       `json:"repo"`
	RunID    string       `json:"run_id,omitempty"`
	RunType  run.Type     `json:"run_type"`
	State    string       `json:"state"`
	TagQuery string       `json:"tag_query"`
	User     string       `json:"user,omitempty"`
}

// PullRequest is the kind of a run of a pull request.
type PullRequest struct {
	Number int64  `json:"pull_number"`
	Title  string `json:"pull_request_title,omitempty"`
}

// CommonOf returns what all lists show of a run. state is that of the row.
func CommonOf(r *runindex.Run, state string) Common {
	var kind any = r.Kind.Name.Shown()
	if r.Kind.Name == run.PullRequest {
		kind = PullRequest{r.Kind.Number, r.Kind.Title}
	}
	return Common{
		BaseBranch: r.Base.Branch, BaseRef: r.Base.Commit, Branch: r.Source.Branch, BranchRef: r.Source.Commit,
		CompletedAt: timestamp.Format(r.EndedAt), CreatedAt: timestamp.Format(r.CreatedAt), Environment: r.Environment, ID: r.ID, Kind: kind, KindName: r.Kind.Name,
		Owner: r.Owner, Repo: r.Name, RunID: cmp.Or(r.CIRun, r.Dispatch.ID), RunType: r.Type.Shown(), State: state, TagQuery: r.TagQuery, User: r.User,
	}
}

// Run is a run as the API shows it: as a row of a list, or as a response of its own.
type Run struct {
	Common
	RepoID    vcs.ID     `json:"repo_id"`
	StartedAt string     `json:"started_at,omitempty"`
	RunURL    string     `json:"run_url,omitempty"`
	Reason    *Reason    `json:"reason,omitempty"`
	Dirspaces []Dirspace `json:"dirspaces"`
	// Omitted is the number of dirspaces that no response could carry.
	Omitted int `json:"dirspaces_omitted,omitempty"`
}

// Reason says why a run was aborted.
type Reason struct {
	Code run.ReasonCode `json:"code"`
	Text string         `json:"text"`
}

// Dirspace is a dirspace of a run. What is not known yet is left out.
type Dirspace struct {
	Dir        string `json:"dir"`
	Workspace  string `json:"workspace"`
	Success    *bool  `json:"success,omitempty"`
	HasChanges *bool  `json:"has_changes,omitempty"`
	Destroys   *bool  `json:"destroys,omitempty"`
}

// Of returns the form of a run. r has the dirspaces that are to be shown.
func Of(r *runindex.Run) Run {
	row := Run{
		Common: CommonOf(r, string(r.Shown())), RepoID: r.Repository.ID, StartedAt: timestamp.Format(r.StartedAt), RunURL: r.URL,
		Dirspaces: make([]Dirspace, len(r.Dirspaces)), Omitted: r.Omitted,
	}
	if r.Reason != (run.Reason{}) {
		row.Reason = &Reason{r.Reason.Code, r.Reason.Text}
	}
	for i, d := range r.Dirspaces {
		row.Dirspaces[i] = Dirspace{Dir: d.Dir, Workspace: d.Workspace}
		outcome, done := r.Outcome(i)
		if done || r.Shown() == run.Aborted {
			row.Dirspaces[i].Success = new(outcome.Has(run.Succeeded))
		}
		if r.Type.IsPlan() && outcome.Planned() {
			row.Dirspaces[i].HasChanges, row.Dirspaces[i].Destroys = new(outcome.Has(run.HasChanges)), new(outcome.Has(run.Destroys))
		}
	}
	return row
}
