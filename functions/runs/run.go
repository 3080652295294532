package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/run/runview"
	"github.com/opsplane/opsplane/shared/vcs"
)

type runPage struct {
	paging.Links
	Runs []runview.Run `json:"work_manifests"`
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
	if err != nil {
		return runListing{}, err
	}
	return placed(l)
}

// placed reads the cursor of a page of runs.
func placed(l listing) (runListing, error) {
	if l.page.First() {
		return runListing{listing: l}, nil
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

// cursorOf returns the cursor of a place.
func cursorOf(p runindex.Place) []string { return []string{shownSecond(p.Second), string(p.ID)} }

// list returns runs of the installation.
func (r *runs) list(ctx context.Context, call httpapi.Call, l runListing) (runPage, error) {
	if err := l.compile(call.Now); err != nil {
		return runPage{}, err
	}
	found, err := r.index.List(ctx, call.Installation, requestOf(l.listing, l.from))
	if err != nil {
		return runPage{}, err
	}
	var on []string
	if found.On != nil {
		on = cursorOf(*found.On)
	}
	page := paging.Part(l.page, found.Rows, on, func(r runindex.Run) []string { return cursorOf(runindex.PlaceOf(r.Run)) })
	return runPage{page.Links(), paging.Map(page, func(r runindex.Run) runview.Run { return runview.Of(&r) }).Results}, nil
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
func (r *runs) get(ctx context.Context, call httpapi.Call, id run.ID) (runview.Run, error) {
	found, err := r.find(ctx, call.Installation, id)
	if err != nil {
		return runview.Run{}, err
	}
	if len(found.Dirspaces) != found.DirspaceCount {
		if found.Dirspaces, err = r.store.Dirspaces(ctx, id); err != nil {
			return runview.Run{}, err
		}
	}
	found.Fit()
	return runview.Of(found), nil
}
