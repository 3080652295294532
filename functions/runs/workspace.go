package main

import (
	"context"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/vcs"
)

// workspaceRow is what stands in a workspace of a directory.
type workspaceRow struct {
	Owner     string           `json:"owner"`
	Repo      string           `json:"repo"`
	RepoID    vcs.ID           `json:"repo_id"`
	Dir       string           `json:"dir"`
	Workspace string           `json:"workspace"`
	States    []standing.State `json:"states"`
	// Plan is the newest plan. WaitingPlan is the one whose changes wait.
	Plan        *planResult  `json:"plan,omitempty"`
	WaitingPlan *planResult  `json:"waiting_plan,omitempty"`
	DriftCheck  *planResult  `json:"drift_check,omitempty"`
	Apply       *applyResult `json:"apply,omitempty"`
	LockedBy    *holder      `json:"locked_by,omitempty"`
	Outputs     *outputList  `json:"outputs,omitempty"`
}

// newest is what plans and applies show of their run.
type newest struct {
	WorkManifestID run.ID `json:"work_manifest_id"`
	BaseBranch     string `json:"base_branch"`
	BaseRef        string `json:"base_ref"`
	Branch         string `json:"branch"`
	BranchRef      string `json:"branch_ref"`
	CompletedAt    string `json:"completed_at"`
	// Kind is the name of the kind. PullNumber is there if it is pr.
	Kind       run.KindName `json:"kind"`
	PullNumber int64        `json:"pull_number,omitempty"`
	Success    bool         `json:"success"`
}

type planResult struct {
	newest
	// HasChanges and Destroys are nil if they are not known, because the plan failed.
	HasChanges *bool `json:"has_changes,omitempty"`
	Destroys   *bool `json:"destroys,omitempty"`
	// Unlocked says that an unlock has made the plan void.
	Unlocked bool `json:"unlocked,omitempty"`
}

type applyResult struct {
	newest
	// Aborted says that nobody knows what the apply changed.
	Aborted bool `json:"aborted,omitempty"`
}

// holder is the apply that keeps others away.
type holder struct {
	WorkManifestID run.ID    `json:"work_manifest_id"`
	State          run.State `json:"state"`
}

// outputList are the outputs of an apply.
type outputList struct {
	WorkManifestID run.ID            `json:"work_manifest_id"`
	Values         []standing.Output `json:"values"`
	Omitted        int               `json:"omitted,omitempty"`
}

type workspacePage struct {
	paging.Links
	Workspaces []workspaceRow `json:"workspaces"`
}

// workspacesShape is the form of the cursor: the repository's id, the directory and the
// workspace.
var workspacesShape = paging.Shape{Elements: 3, Default: 20, Max: 100}

// workspaceListing is a page of workspaces.
type workspaceListing struct {
	listing
	from *standing.Place
}

func decodeWorkspaces(r *http.Request) (workspaceListing, error) {
	l, err := decodeListing(r, workspacesShape, runquery.Workspaces, false)
	if err != nil || l.page.First() {
		return workspaceListing{listing: l}, err
	}
	at, err := run.NewDirspace(l.page.Cursor[1], l.page.Cursor[2])
	id := vcs.ID(l.page.Cursor[0])
	if err != nil || !id.Valid() {
		return workspaceListing{}, paging.ErrCursor
	}
	return workspaceListing{l, &standing.Place{Repository: id, Dirspace: at}}, nil
}

// listWorkspaces returns what stands in the workspaces of the installation.
func (r *runs) listWorkspaces(ctx context.Context, call httpapi.Call, l workspaceListing) (workspacePage, error) {
	if err := l.compile(call.Now); err != nil {
		return workspacePage{}, err
	}
	found, err := r.stands.List(ctx, call.Installation, requestOf(l.listing, l.from))
	if err != nil {
		return workspacePage{}, err
	}
	cursor := func(p standing.Place) []string { return []string{string(p.Repository), p.Dir, p.Workspace} }
	var on []string
	if found.On != nil {
		on = cursor(*found.On)
	}
	page := paging.Part(l.page, found.Rows, on, func(s standing.Shown) []string { return cursor(standing.PlaceOf(s.Row)) })
	return workspacePage{page.Links(), paging.Map(page, workspaceRowOf).Results}, nil
}

func workspaceRowOf(s standing.Shown) workspaceRow {
	last := s.Newest()
	return workspaceRow{
		Owner: last.Owner, Repo: last.Name, RepoID: s.Repository.ID, Dir: s.Dir, Workspace: s.Workspace, States: s.States(),
		Plan: planResultOf(s.Plan), WaitingPlan: planResultOf(s.WaitingPlan()), DriftCheck: planResultOf(s.Drift), Apply: applyResultOf(s.Apply),
		LockedBy: holderOf(s.Holder), Outputs: outputListOf(s.Outputs),
	}
}

func newestOf(r *standing.Result) newest {
	return newest{
		WorkManifestID: r.Run, BaseBranch: r.Base.Branch, BaseRef: r.Base.Commit, Branch: r.Source.Branch, BranchRef: r.Source.Commit,
		CompletedAt: timestamp.Format(r.EndedAt), Kind: r.Kind.Name, PullNumber: r.Kind.Number, Success: r.Succeeded(),
	}
}

func planResultOf(r *standing.Result) *planResult {
	if r == nil {
		return nil
	}
	shown := planResult{newest: newestOf(r), Unlocked: r.Void}
	if r.Outcome.Planned() {
		shown.HasChanges, shown.Destroys = new(r.Outcome.Has(run.HasChanges)), new(r.Outcome.Has(run.Destroys))
	}
	return &shown
}

func applyResultOf(r *standing.Result) *applyResult {
	if r == nil {
		return nil
	}
	return &applyResult{newestOf(r), r.Aborted}
}

func holderOf(a *runstore.Active) *holder {
	if a == nil {
		return nil
	}
	return &holder{a.ID, a.State}
}

func outputListOf(o *standing.Outputs) *outputList {
	if o == nil {
		return nil
	}
	values := o.List
	if values == nil {
		values = []standing.Output{}
	}
	return &outputList{o.Run, values, o.Omitted}
}
