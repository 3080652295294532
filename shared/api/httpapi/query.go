package httpapi

import (
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// Query reads query parameters. It keeps the fault of the first parameter that it
// cannot read, and Err returns that fault, so that a decoder checks once. If a
// decoder reads a parameter that the request's route does not declare, Query
// panics, because that is an error in the program.
type Query struct {
	values url.Values
	in     *received // nil: the request passed no route
	err    error
}

// NewQuery reads the query of r.
func NewQuery(r *http.Request) *Query {
	if in := receivedBy(r); in != nil {
		return &Query{values: in.query, in: in}
	}
	return &Query{values: r.URL.Query()}
}

// Err returns the Invalid fault of the first parameter that could not be read.
func (q *Query) Err() error { return q.err }

// get returns the values of a parameter, and records that the decoder read it.
func (q *Query) get(name string) []string {
	if q.in != nil {
		if !slices.Contains(q.in.input.Query, name) && !slices.Contains(q.in.input.Lists, name) {
			panic("query parameter " + name + " is read, and the route does not declare it")
		}
		q.in.read[name] = struct{}{}
	}
	return q.values[name]
}

// Has reports whether the parameter is present.
func (q *Query) Has(name string) bool { return len(q.get(name)) > 0 }

// String returns a parameter's value, or def if it is absent.
func (q *Query) String(name, def string) string {
	if values := q.get(name); len(values) > 0 {
		return values[0]
	}
	return def
}

// Strings yields every value of a parameter. It yields none if the parameter is
// absent.
func (q *Query) Strings(name string) iter.Seq[string] { return slices.Values(q.get(name)) }

// Values returns a copy of the whole query, for an address that repeats it.
func (q *Query) Values() url.Values { return maps.Clone(q.values) }

// Bool returns a parameter that is exactly true or false, or def if it is absent.
func (q *Query) Bool(name string, def bool) bool {
	switch q.String(name, strconv.FormatBool(def)) {
	case "true":
		return true
	case "false":
		return false
	}
	q.fail(name, "must be true or false")
	return def
}

// Int returns a decimal integer between low and high, or def if the parameter is
// absent.
func (q *Query) Int(name string, def, low, high int) int {
	if !q.Has(name) {
		return def
	}
	n, err := strconv.Atoi(q.String(name, ""))
	if err != nil || n < low || n > high {
		q.fail(name, MustBeInt(low, high))
		return def
	}
	return n
}

// OptionalInt does the same as Int, and returns nil if the parameter is absent.
func (q *Query) OptionalInt(name string, low, high int) *int {
	if !q.Has(name) {
		return nil
	}
	n := q.Int(name, 0, low, high)
	return &n
}

// OptionalString returns a parameter's value, or nil if it is absent.
func (q *Query) OptionalString(name string) *string {
	if !q.Has(name) {
		return nil
	}
	text := q.String(name, "")
	return &text
}

func (q *Query) fail(name, why string) {
	if q.err == nil {
		q.err = fault.Invalidf("INVALID_PARAMETER", "query parameter %s %s", name, why)
	}
}
