package main

import (
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/vcs"
)

// shape is the form of the cursor: the repository's id and the number of the pull request.
var shape = paging.Shape{Elements: 2, Default: 20, Max: 100}

// place is a pull request of an installation, as cursors name it.
type place struct {
	repository vcs.ID
	number     int64
}

func placeOf(p vcs.PullRequest) *place { return &place{p.Repository.ID, p.Number} }

func (p place) cursor() []string {
	return []string{string(p.repository), strconv.FormatInt(p.number, 10)}
}

// listing is a page of a list.
type listing struct {
	page paging.Request
	from place // of the cursor; zero for the first page
}

func decodeListing(r *http.Request) (listing, error) {
	page, err := paging.Decode(r, shape)
	if err != nil || page.First() {
		return listing{page: page}, err
	}
	l := listing{page: page, from: place{repository: vcs.ID(page.Cursor[0])}}
	l.from.number, err = strconv.ParseInt(page.Cursor[1], 10, 64)
	if err != nil || l.from.number < 1 || !l.from.repository.Valid() {
		return listing{}, paging.ErrCursor
	}
	return l, nil
}

// query returns the query for a part of a page, which begins behind from. It is nil for the
// first page.
func (l listing) query(of vcs.Installation) lane.Query {
	q := lane.Query{Limit: l.page.Limit}
	if l.page.First() {
		return q
	}
	cursor := lane.Entry{PullRequest: of.Repository(l.from.repository).PullRequest(l.from.number)}.Cursor()
	if l.page.Backward {
		q.Before = cursor
	} else {
		q.After = cursor
	}
	return q
}

// part makes a page that may end early. on is where the list goes on, or nil.
func part[R any](l listing, rows []R, on *place, of func(R) place) paging.Results[R] {
	var next []string
	if on != nil {
		next = on.cursor()
	}
	return paging.Part(l.page, rows, next, func(r R) []string { return of(r).cursor() })
}

func (a about) place() place { return place{a.RepoID, a.PullNumber} }
