package main

import (
	"context"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/run/runview"
)

// dirspaceRow is a dirspace of a run in the list. Its id is that of the run.
type dirspaceRow struct {
	runview.Common
	Dir       string `json:"dir"`
	Workspace string `json:"workspace"`
}

type dirspacePage struct {
	paging.Links
	Dirspaces []dirspaceRow `json:"dirspaces"`
}

// dirspacesShape is the form of the cursor: the time, the directory, the workspace
// and the run's id. The last three are empty if a page has ended between two seconds.
var dirspacesShape = paging.Shape{Elements: 4, Default: 20, Max: 100}

// dirspaceListing is a page of dirspaces.
type dirspaceListing struct {
	listing
	from *runindex.Spot
}

func decodeDirspaces(r *http.Request) (dirspaceListing, error) {
	l, err := decodeListing(r, dirspacesShape, runquery.Dirspaces, true)
	if err != nil || l.page.First() {
		return dirspaceListing{listing: l}, err
	}
	at, err := second(l.page.Cursor[0])
	if err != nil {
		return dirspaceListing{}, err
	}
	spot := runindex.Spot{Second: at, Dirspace: run.Dirspace{Dir: l.page.Cursor[1], Workspace: l.page.Cursor[2]}, ID: run.ID(l.page.Cursor[3])}
	if spot.ID != "" || spot.Dirspace != (run.Dirspace{}) {
		if _, err := run.ParseID(string(spot.ID)); err != nil || spot.Dir == "" {
			return dirspaceListing{}, paging.ErrCursor
		}
	}
	return dirspaceListing{l, &spot}, nil
}

// listDirspaces returns dirspaces of the installation's runs.
func (r *runs) listDirspaces(ctx context.Context, call httpapi.Call, l dirspaceListing) (dirspacePage, error) {
	if err := l.compile(call.Now); err != nil {
		return dirspacePage{}, err
	}
	found, err := r.index.Dirspaces(ctx, call.Installation, requestOf(l.listing, l.from))
	if err != nil {
		return dirspacePage{}, err
	}
	cursor := func(s runindex.Spot) []string {
		return []string{shownSecond(s.Second), s.Dir, s.Workspace, string(s.ID)}
	}
	var on []string
	if found.On != nil {
		on = cursor(*found.On)
	}
	page := paging.Part(l.page, found.Rows, on, func(d runindex.Dirspace) []string { return cursor(runindex.SpotOf(d)) })
	return dirspacePage{page.Links(), paging.Map(page, dirspaceRowOf).Results}, nil
}

func dirspaceRowOf(d runindex.Dirspace) dirspaceRow {
	row := dirspaceRow{Common: runview.CommonOf(d.Run, d.State()), Dir: d.Dir, Workspace: d.Workspace}
	if row.CompletedAt == "" {
		row.CompletedAt = timestamp.Format(d.Run.UnlockedAt)
	}
	return row
}
