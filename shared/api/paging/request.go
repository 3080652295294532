// Package paging cuts lists into pages. A page is asked for by direction and
// cursor (the place of the row at the edge of the page before), and an answer
// links to its neighbours. Its invariant: following the links of one direction
// visits every row that exists throughout exactly once, whatever else is
// added or removed meanwhile.
package paging

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// Shape is what a list allows.
type Shape struct {
	// Elements is how many values place a row.
	Elements int
	// Plain, if not 0, is how many values a cursor has that is written by hand,
	// as they are: fewer than Elements, so that the two cannot be confused.
	Plain int
	// Default is the page size if none is asked for, Max the largest; a
	// larger one is cut to it silently.
	Default, Max int
}

// Request is the page asked for.
type Request struct {
	// Backward asks for the rows before Cursor, otherwise those behind it.
	Backward bool
	// Cursor places a row; nil asks for the first page.
	Cursor []string
	// Plain says that Cursor has the values of a cursor written by hand.
	Plain bool
	// Limit is how many rows a page has at most.
	Limit int

	base  string     // of links: scheme, host and path
	query url.Values // of links, without page
}

// First reports whether the first page is asked for.
func (q Request) First() bool { return q.Cursor == nil }

// The values of the first element of the parameter page.
const (
	forward  = "n"
	backward = "p"
)

// The parameters that Decode reads.
const (
	paramLimit = "limit"
	paramPage  = "page" // may be given several times
)

// Input is what the route of a list takes: page, limit, and query parameters of
// its own.
func Input(own ...string) httpapi.Input {
	return httpapi.Input{Query: append(own, paramLimit), Lists: []string{paramPage}}
}

// Decode reads the parameters page and limit of r. The parameter page is an
// array, either repeated or joined with commas: the direction, n or p, then
// the cursor. What cannot be read is an Invalid fault.
func Decode(r *http.Request, shape Shape) (Request, error) {
	query := httpapi.NewQuery(r)
	q := Request{Limit: shape.Default, base: httpapi.Address(r) + r.URL.EscapedPath(), query: query.Values()}
	q.query.Del(paramPage)
	limit, page := query.All(paramLimit), query.All(paramPage)
	if len(limit) > 0 {
		// More than an int holds is more than the largest page, like 101.
		n, err := strconv.Atoi(limit[0])
		if err != nil && !errors.Is(err, strconv.ErrRange) || n <= 0 {
			return Request{}, fault.Invalidf("INVALID_PARAMETER", "query parameter limit must be a whole number above 0")
		}
		q.Limit = min(n, shape.Max)
	}
	if len(page) > 0 {
		// Elements of a cursor have no commas, so that it does not matter
		// which were escaped: the gateway does not tell.
		elements := strings.Split(strings.Join(page, ","), ",")
		if err := q.decodePage(elements, shape); err != nil {
			return Request{}, err
		}
	}
	return q, nil
}

func (q *Request) decodePage(elements []string, shape Shape) error {
	direction, values := elements[0], elements[1:]
	q.Backward = direction == backward
	q.Plain = shape.Plain > 0 && len(values) == shape.Plain
	if direction != forward && direction != backward || !q.Plain && len(values) != shape.Elements {
		return ErrCursor
	}
	if q.Plain {
		q.Cursor = values
		return nil
	}
	for _, text := range values {
		value, err := encoding.DecodeString(text)
		if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder passes over line breaks
			return ErrCursor
		}
		q.Cursor = append(q.Cursor, string(value))
	}
	return nil
}

// ErrCursor is the Invalid fault of a cursor that no page of the list has.
var ErrCursor = fault.Invalidf("INVALID_PARAMETER", "query parameter page does not come from a Link header of this list")

// encoding of an element: whatever a row is placed by, its text needs no
// escape in a URL and has no comma.
var encoding = base64.RawURLEncoding.Strict()
