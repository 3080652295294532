package main

import (
	"context"
	"net/http"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runview"
)

// updatedSince is the parameter that selects runs by their last change.
const updatedSince = "updated_since"

// overlap is how much earlier than the newest change a client begins its next request.
// A change has the time at which its request began, and is stored some seconds later.
const overlap = time.Minute

// listOrChanges returns the endpoint of the list of runs.
func (r *runs) listOrChanges() httpapi.Endpoint {
	list := httpapi.JSON(decodeRuns, r.list)
	changes := httpapi.Tagged(decodeChanges, r.tagChanges, r.listChanges)
	return func(ctx context.Context, call httpapi.Call, req *http.Request) (httpapi.Response, error) {
		if httpapi.NewQuery(req).Has(updatedSince) {
			return changes(ctx, call, req)
		}
		return list(ctx, call, req)
	}
}

// changeListing is a page of the runs that were changed.
type changeListing struct {
	runListing
	since time.Time
}

func decodeChanges(r *http.Request) (changeListing, error) {
	l, err := decodeRuns(r)
	if err != nil {
		return changeListing{}, err
	}
	since, err := time.Parse(time.RFC3339, httpapi.NewQuery(r).String(updatedSince, ""))
	if err != nil || since.Unix() < 0 {
		return changeListing{}, fault.Invalidf("INVALID_PARAMETER", "query parameter %s must be a time such as 2030-01-31T14:30:00Z", updatedSince)
	}
	return changeListing{l, since}, nil
}

// tagChanges returns the tag of a page of changes. It changes with each change of a run
// of the installation from that time on, whether the page shows the run or not.
func (r *runs) tagChanges(ctx context.Context, call httpapi.Call, l changeListing) (httpapi.Tag, error) {
	if call.Now.Sub(l.since) > runindex.KeepChanges {
		return "", fault.Invalidf("UPDATED_SINCE_TOO_OLD", "changes are known for a day: list the runs without %s, and begin again with the time of that request", updatedSince)
	}
	d, err := r.index.DigestOf(ctx, call.Installation, l.since.Unix())
	return httpapi.NewTag(d.Sum), err
}

// changePage is a page of runs that were changed.
type changePage struct {
	runPage
	// Next is the time for the next request of a client that has read all pages.
	Next string `json:"next_updated_since"`
}

// listChanges returns the runs that were changed, as they are now.
func (r *runs) listChanges(ctx context.Context, call httpapi.Call, l changeListing) (changePage, error) {
	if err := l.compile(call.Now); err != nil {
		return changePage{}, err
	}
	d, err := r.index.DigestOf(ctx, call.Installation, l.since.Unix())
	if err != nil {
		return changePage{}, err
	}
	found, err := r.index.Changed(ctx, call.Installation, l.since.Unix(), requestOf(l.listing, l.from))
	if err != nil {
		return changePage{}, err
	}
	var on []string
	if found.On != nil {
		on = cursorOf(*found.On)
	}
	page := paging.Part(l.page, found.Rows, on, func(c runindex.Changed) []string { return cursorOf(c.At) })
	next := time.Unix(d.Newest, 0).Add(-overlap)
	if next.Before(l.since) {
		next = l.since
	}
	rows := paging.Map(page, func(c runindex.Changed) runview.Run { return runview.Of(&c.Run) }).Results
	return changePage{runPage{page.Links(), rows}, timestamp.Format(next)}, nil
}
