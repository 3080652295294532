package main

import (
	"errors"
	"net/http"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runquery"
)

// listing is a page of a list under a query.
type listing struct {
	page       paging.Request
	list       runquery.List
	text, zone string
	// query is text, once compile has read it.
	query      runquery.Query
	descending bool
}

// decodeListing reads what all lists accept. descending is the order of the list if
// the request names none.
func decodeListing(r *http.Request, shape paging.Shape, list runquery.List, descending bool) (listing, error) {
	page, err := paging.Decode(r, shape)
	if err != nil {
		return listing{}, err
	}
	values := httpapi.NewQuery(r)
	l := listing{page: page, list: list, text: values.String("q", ""), zone: values.String("tz", ""), descending: descending}
	switch direction := values.String("d", ""); {
	case direction == "asc":
		l.descending = false
	case direction == "desc":
		l.descending = true
	case values.Has("d"):
		return listing{}, fault.Invalidf("INVALID_PARAMETER", "query parameter d must be asc or desc")
	}
	return l, nil
}

// compile reads the query. It must be called before requestOf.
func (l *listing) compile(now time.Time) error {
	q, err := l.list.Compile(l.text, l.zone, now)
	if err != nil {
		return refused(err)
	}
	if l.query = q; q.Sort != runquery.Unsorted {
		l.descending = q.Sort == runquery.Descending
	}
	return nil
}

// refused returns the fault for a query that was refused.
func refused(err error) error {
	var e *runquery.Error
	if !errors.As(err, &e) {
		return err
	}
	return fault.Invalidf(e.ID, "%s", e.Data)
}

// requestOf returns the request to the index.
func requestOf[P any](l listing, from *P) runindex.Request[P] {
	return runindex.Request[P]{Query: l.query, Limit: l.page.Limit, Descending: l.descending, From: from, Backward: l.page.Backward}
}

// second reads the time of a cursor.
func second(text string) (int64, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Unix() < 0 {
		return 0, paging.ErrCursor
	}
	return at.Unix(), nil
}

// shownSecond writes the time of a cursor, as lists show it.
func shownSecond(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// decodeID reads the run's id.
func decodeID(r *http.Request) (run.ID, error) {
	id, err := run.ParseID(r.PathValue("work_manifest_id"))
	if err != nil {
		return "", fault.Invalidf("INVALID_ID", "%v", err)
	}
	return id, nil
}
