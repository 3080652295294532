// Package paging cuts lists into pages. A request names a page by direction and
// cursor: the cursor is the place of the row at the edge of the page before. A
// response links to the pages beside it. The package's invariant: a client that
// follows the links of one direction sees every row that exists the whole time
// exactly once, whatever else is added or removed meanwhile.
package paging

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// Shape is what a list allows.
type Shape struct {
	// Elements is the number of values that place a row.
	Elements int
	// Plain, if not 0, is the number of values of a cursor that a person writes by
	// hand, without encoding. It is less than Elements, so that the two forms
	// cannot be confused.
	Plain int
	// Default is the page size if the request names none. Max is the largest page
	// size: a larger number is reduced to Max without an error.
	Default, Max int
}

// Request is the page that a request asks for.
type Request struct {
	// Backward asks for the rows before Cursor. Otherwise the request asks for the
	// rows behind it.
	Backward bool
	// Cursor places a row. Nil asks for the first page.
	Cursor []string
	// Plain says that Cursor holds the values of a cursor written by hand.
	Plain bool
	// Limit is the largest number of rows of the page.
	Limit int

	base  string     // of links: scheme, host and path
	query url.Values // of links, without page
}

// First reports whether the request asks for the first page.
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

// Input is what the route of a list accepts: page, limit, and query parameters of
// its own.
func Input(own ...string) httpapi.Input {
	return httpapi.Input{Query: append(own, paramLimit), Lists: []string{paramPage}}
}

// Decode reads the parameters page and limit of r. The parameter page is an array:
// the direction (n or p), then the cursor. The array is sent as repeated parameters
// or joined with commas. Decode returns an Invalid fault for a parameter that it
// cannot read.
func Decode(r *http.Request, shape Shape) (Request, error) {
	query := httpapi.NewQuery(r)
	q := Request{Limit: shape.Default, base: httpapi.Address(r) + r.URL.EscapedPath(), query: query.Values()}
	q.query.Del(paramPage)
	limit, page := slices.Collect(query.Strings(paramLimit)), slices.Collect(query.Strings(paramPage))
	if len(limit) > 0 {
		// A number that is too large for an int is above the largest page, as 101
		// may be.
		n, err := strconv.Atoi(limit[0])
		if err != nil && !errors.Is(err, strconv.ErrRange) || n <= 0 {
			return Request{}, fault.Invalidf("INVALID_PARAMETER", "query parameter limit must be a whole number above 0")
		}
		q.Limit = min(n, shape.Max)
	}
	if len(page) > 0 {
		// The elements of a cursor contain no commas. So it does not matter which
		// commas were escaped: the gateway does not pass that on.
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
		if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder ignores line breaks
			return ErrCursor
		}
		q.Cursor = append(q.Cursor, string(value))
	}
	return nil
}

// ErrCursor is the Invalid fault for a cursor that no page of the list links to.
var ErrCursor = fault.Invalidf("INVALID_PARAMETER", "query parameter page does not come from a Link header of this list")

// encoding is the encoding of a cursor's elements. The encoded text needs no escape
// in a URL and contains no comma, whatever value places the row.
var encoding = base64.RawURLEncoding.Strict()
