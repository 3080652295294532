package paging

import (
	"net/http"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// Results is a page of a list, with its links. Made by Answer.
type Results[T any] struct {
	// Results are the rows, in the order of the list; never null.
	Results []T `json:"results"`

	link string
}

// SetHeaders sets Link. It is there on every page, empty where there is
// nothing to link to.
func (r Results[T]) SetHeaders(h http.Header) { h.Set("Link", r.link) }

var _ httpapi.Headerer = Results[int]{}

// Answer makes the page of q from rows: at most q.Limit+1 of them, in the
// direction asked for, the nearest to the cursor first. The one too many shows
// that there are more. The function cursor answers the q.Cursor that places a
// row.
func Answer[T any](q Request, rows []T, cursor func(T) []string) Results[T] {
	more := len(rows) > q.Limit
	if more {
		rows = rows[:q.Limit]
	}
	if len(rows) == 0 {
		return Results[T]{Results: []T{}}
	}
	rows = slices.Clone(rows)
	if q.Backward {
		slices.Reverse(rows)
	}
	// Where we came from there is at least the row of the cursor.
	next, prev := more, !q.First()
	if q.Backward {
		next, prev = true, more
	}
	var links []string
	if next {
		links = append(links, q.link(forward, cursor(rows[len(rows)-1]), "next"))
	}
	if prev {
		links = append(links, q.link(backward, cursor(rows[0]), "prev"))
	}
	return Results[T]{Results: rows, link: strings.Join(links, ", ")}
}

// Part makes the page of q of a list whose pages may end before their limit, as a
// call looks at so much and no more. Rows are at most q.Limit, in the direction
// asked for; on places where to go on in that direction, and is nil at the end.
// A page without rows links back to nothing that was shown before: between on
// and there, nothing is wanted.
func Part[T any](q Request, rows []T, on []string, cursor func(T) []string) Results[T] {
	next, prev := on, on
	if len(rows) > 0 {
		rows = slices.Clone(rows)
		if q.Backward {
			slices.Reverse(rows)
			next = cursor(rows[len(rows)-1])
		} else {
			prev = cursor(rows[0])
		}
	} else {
		rows = []T{}
	}
	if q.First() {
		prev = nil
	}
	var links []string
	if next != nil {
		links = append(links, q.link(forward, next, "next"))
	}
	if prev != nil {
		links = append(links, q.link(backward, prev, "prev"))
	}
	return Results[T]{Results: rows, link: strings.Join(links, ", ")}
}

// Map answers the page with every row in another form.
func Map[T, U any](page Results[T], form func(T) U) Results[U] {
	rows := make([]U, len(page.Results))
	for i, row := range page.Results {
		rows[i] = form(row)
	}
	return Results[U]{Results: rows, link: page.link}
}

// link formats one entry of the Link header: the new page first, then every
// other parameter of the request.
func (q Request) link(direction string, cursor []string, rel string) string {
	query := "page=" + direction
	for _, value := range cursor {
		query += "&page=" + encoding.EncodeToString([]byte(value))
	}
	if rest := q.query.Encode(); rest != "" {
		query += "&" + rest
	}
	return "<" + q.base + "?" + query + `>; rel="` + rel + `"`
}
