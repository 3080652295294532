package paging

import (
	"net/http"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// Results is a page of a list, with its links. PageOf and Part make it.
type Results[T any] struct {
	// Results are the rows, in the order of the list. It is never null.
	Results []T `json:"results"`

	link string
}

// SetHeaders sets the header Link on every page. The header is empty if there is no
// other page.
func (r Results[T]) SetHeaders(h http.Header) { h.Set("Link", r.link) }

var _ httpapi.Headerer = Results[int]{}

// PageOf makes the page of q from rows. There are at most q.Limit+1 rows, in the
// direction of the request, the row nearest to the cursor first. The row beyond the
// limit shows that there are more. The function cursor returns the q.Cursor that
// places a row.
func PageOf[T any](q Request, rows []T, cursor func(T) []string) Results[T] {
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
	// In the direction that the request came from, there is at least the row of the
	// cursor.
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

// Part makes the page of q for a list whose pages may end before their limit,
// because one call looks only at a limited number of rows. There are at most
// q.Limit rows, in the direction of the request. The cursor on says where to
// continue in that direction; it is nil at the end of the list. A page without rows
// has no row of its own to link back from, so it links back from on: no row between
// on and the page before is wanted.
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

// Map returns the page with every row in another form.
func Map[T, U any](page Results[T], form func(T) U) Results[U] {
	rows := make([]U, len(page.Results))
	for i, row := range page.Results {
		rows[i] = form(row)
	}
	return Results[U]{Results: rows, link: page.link}
}

// link formats one entry of the Link header: first the parameter page of the linked
// page, then every other parameter of the request.
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
