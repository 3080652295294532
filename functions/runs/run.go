package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/vcs"
)

// common is what rows of both lists show of a run.
type common struct {
	BaseBranch  string `json:"base_branch"`
	BaseRef     string `json:"base_ref"`
	Branch      string `json:"branch"`
	BranchRef   string `json:"branch_ref"`
	CompletedAt string `json:"completed_at,omitempty"`
	CreatedAt   string `json:"created_at"`
	Environment string `json:"environment,omitempty"`
	ID          run.ID `json:"id"`
	// Kind is a text, or a pullRequest.
	Kind     any      `json:"kind"`
	Owner    string   `json:"owner"`
	Repo     string   `json:"repo"`
	RunID    string   `json:"run_id,omitempty"`
	RunType  run.Type `json:"run_type"`
	State    string   `json:"state"`
	TagQuery string   `json:"tag_query"`
	User     string   `json:"user,omitempty"`
}

type pullRequest struct {
	Number int64  `json:"pull_number"`
	Title  string `json:"pull_request_title,omitempty"`
}

func commonOf(r *runindex.Run, state string) common {
	var kind any = r.Kind.Name
	if r.Kind.Name == run.PullRequest {
		kind = pullRequest{r.Kind.Number, r.Kind.Title}
	}
	return common{
		BaseBranch: r.Base.Branch, BaseRef: r.Base.Commit, Branch: r.Source.Branch, BranchRef: r.Source.Commit,
		CompletedAt: timestamp.Format(r.EndedAt), CreatedAt: timestamp.Format(r.CreatedAt), Environment: r.Environment, ID: r.ID, Kind: kind,
		Owner: r.Owner, Repo: r.Name, RunID: cmp.Or(r.CIRun, r.Dispatch.ID), RunType: r.Type.Shown(), State: state, TagQuery: r.TagQuery, User: r.User,
	}
}

// runRow is a run in the list, and the response for one run.
type runRow struct {
	common
	RepoID    vcs.ID        `json:"repo_id"`
	StartedAt string        `json:"started_at,omitempty"`
	RunURL    string        `json:"run_url,omitempty"`
	Reason    *reason       `json:"reason,omitempty"`
	Dirspaces []runDirspace `json:"dirspaces"`
	// Omitted is the number of dirspaces that no response could carry.
	Omitted int `json:"dirspaces_omitted,omitempty"`
}

// reason says why a run was aborted.
type reason struct {
	Code run.ReasonCode `json:"code"`
	Text string         `json:"text"`
}

// runDirspace is a dirspace of a run. What is not known yet is left out.
type runDirspace struct {
	Dir        string `json:"dir"`
	Workspace  string `json:"workspace"`
	Success    *bool  `json:"success,omitempty"`
	HasChanges *bool  `json:"has_changes,omitempty"`
	Destroys   *bool  `json:"destroys,omitempty"`
}

func runRowOf(r *runindex.Run) runRow {
	row := runRow{
		common: commonOf(r, string(r.Shown())), RepoID: r.Repository.ID, StartedAt: timestamp.Format(r.StartedAt), RunURL: r.URL,
		Dirspaces: make([]runDirspace, len(r.Dirspaces)), Omitted: r.Omitted,
	}
	if r.Reason != (run.Reason{}) {
		row.Reason = &reason{r.Reason.Code, r.Reason.Text}
	}
	for i, d := range r.Dirspaces {
		row.Dirspaces[i] = runDirspace{Dir: d.Dir, Workspace: d.Workspace}
		outcome, done := r.Outcome(i)
		if done || r.Shown() == run.Aborted {
			row.Dirspaces[i].Success = new(outcome.Has(run.Succeeded))
		}
		if outcome.Has(run.HasResult) && r.Type.IsPlan() {
			row.Dirspaces[i].HasChanges, row.Dirspaces[i].Destroys = new(outcome.Has(run.HasChanges)), new(outcome.Has(run.Destroys))
		}
	}
	return row
}

type runPage struct {
	paging.Links
	Runs []runRow `json:"work_manifests"`
}

// runsShape is the form of the cursor: the time and the id.
var runsShape = paging.Shape{Elements: 2, Default: 20, Max: 100}

// runListing is a page of runs.
type runListing struct {
	listing
	from *runindex.Place
}

func decodeRuns(r *http.Request) (runListing, error) {
	l, err := decodeListing(r, runsShape, runquery.Runs, true)
	// Some clients send lite. It has no effect here.
	if values := httpapi.NewQuery(r); err == nil && values.Has("lite") {
		values.Bool("lite", false)
		err = values.Err()
	}
	if err != nil || l.page.First() {
		return runListing{listing: l}, err
	}
	at, err := second(l.page.Cursor[0])
	if err != nil {
		return runListing{}, err
	}
	id, err := run.ParseID(l.page.Cursor[1])
	if err != nil {
		return runListing{}, paging.ErrCursor
	}
	return runListing{l, &runindex.Place{Second: at, ID: id}}, nil
}

// list returns runs of the installation.
func (r *runs) list(ctx context.Context, call httpapi.Call, l runListing) (runPage, error) {
	if err := l.compile(call.Now); err != nil {
		return runPage{}, err
	}
	found, err := r.index.List(ctx, call.Installation, requestOf(l.listing, l.from))
	if err != nil {
		return runPage{}, err
	}
	cursor := func(p runindex.Place) []string { return []string{shownSecond(p.Second), string(p.ID)} }
	var on []string
	if found.On != nil {
		on = cursor(*found.On)
	}
	page := paging.Part(l.page, found.Rows, on, func(r runindex.Run) []string { return cursor(runindex.PlaceOf(r.Run)) })
	return runPage{page.Links(), paging.Map(page, func(r runindex.Run) runRow { return runRowOf(&r) }).Results}, nil
}

// find reads a run of the installation, without dirspaces that are in chunks.
func (r *runs) find(ctx context.Context, in vcs.Installation, id run.ID) (*runindex.Run, error) {
	found, err := r.store.Many(ctx, []run.ID{id})
	if err != nil {
		return nil, err
	}
	one, ok := found[id]
	if !ok || one.Repository.Installation != in {
		return nil, fault.ErrNotFound
	}
	shown := &runindex.Run{Run: one}
	if one.State.Active() {
		unlocks, err := r.store.Unlocks(ctx, []run.Run{one})
		if err != nil {
			return nil, err
		}
		shown.UnlockedAt = unlocks[id]
	}
	return shown, nil
}

// tag returns the tag of a run. Each change of the run's item changes its version. An
// unlock that was interrupted changes only what is shown.
func (r *runs) tag(ctx context.Context, call httpapi.Call, id run.ID) (httpapi.Tag, error) {
	found, err := r.find(ctx, call.Installation, id)
	if err != nil {
		return "", err
	}
	return httpapi.NewTag(fmt.Sprintf("%s-%d", found.Shown(), found.Version)), nil
}

// get returns one run.
func (r *runs) get(ctx context.Context, call httpapi.Call, id run.ID) (runRow, error) {
	found, err := r.find(ctx, call.Installation, id)
	if err != nil {
		return runRow{}, err
	}
	if len(found.Dirspaces) != found.DirspaceCount {
		if found.Dirspaces, err = r.store.Dirspaces(ctx, id); err != nil {
			return runRow{}, err
		}
	}
	found.Fit()
	return runRowOf(found), nil
}
