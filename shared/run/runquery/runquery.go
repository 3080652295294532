// Package runquery gives the parameter q of the lists of runs, dirspaces and
// outputs its meaning: which keys a list knows, and which rows match. The package
// is pure. Its invariant: a row matches exactly where the query is true of it in
// SQL's three-valued logic, in which a comparison with an absent value is neither
// true nor false.
package runquery

import (
	"time"

	"github.com/opsplane/opsplane/shared/tagquery"
)

// Error is why a query is refused. Its members are the members of the answer's
// body.
type Error struct {
	// ID is the error id of the contract, such as UNKNOWN_TAG.
	ID string
	// Data names what is wrong; it may be empty.
	Data string
}

// Error implements error.
func (e *Error) Error() string { return e.ID + ": " + e.Data }

// Direction is the order that "sort:" asks for.
type Direction int

// The directions. Unsorted leaves the list's own default.
const (
	Unsorted Direction = iota
	Ascending
	Descending
)

// Row is what a list tells of one of its rows.
type Row interface {
	// Texts returns the values that the row has for a key of the kind Text or
	// Many; none where it is absent.
	Texts(key string) []string
	// Number returns the value of a key of the kind Number or Duration (seconds).
	Number(key string) (n int64, ok bool)
	// Time returns the value of a key of the kind Time, whole seconds.
	Time(key string) (at time.Time, ok bool)
	// Flag returns the value of a key of the kind Flag.
	Flag(key string) (value, ok bool)
}

// Query is a query that can be held against rows.
type Query struct {
	// Expr is the query as it was written; nil if it is empty.
	Expr tagquery.Expr
	// Sort is the last direction in the query.
	Sort Direction

	root node // nil matches everything
}

// Match reports whether the query is true of a row.
func (q Query) Match(r Row) bool { return q.root == nil || q.root.truth(r) == yes }

// Compile reads a query of a list. zone is the name of the time zone of dates in
// it, UTC if empty; now ends open intervals. An error is an *Error.
func (l List) Compile(text, zone string, now time.Time) (Query, error) {
	e, err := tagquery.Parse(text)
	if err != nil {
		return Query{}, &Error{ID: "PARSE_ERROR", Data: err.Error()}
	}
	c := compiler{list: l, zone: zone, now: now}
	q := Query{Expr: e}
	if e != nil {
		if q.root, err = c.node(e); err != nil {
			return Query{}, err
		}
	}
	q.Sort = c.sort
	return q, nil
}
