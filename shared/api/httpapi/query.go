package httpapi

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// Query reads query parameters. The first parameter that cannot be read is
// remembered; Err answers it, so that a decoder checks once. To read a parameter
// that the request's route does not declare is a mistake of the decoder, and
// panics.
type Query struct {
	values url.Values
	in     *received // nil: the request came past no route
	err    error
}

// NewQuery reads the query of r.
func NewQuery(r *http.Request) *Query {
	if in := receivedBy(r); in != nil {
		return &Query{values: in.query, in: in}
	}
	return &Query{values: r.URL.Query()}
}

// Err is the Invalid fault of the first parameter that could not be read.
func (q *Query) Err() error { return q.err }

// get answers the values of a parameter, and notes that it was asked for.
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

// String answers a parameter's value, or def where it is absent.
func (q *Query) String(name, def string) string {
	if values := q.get(name); len(values) > 0 {
		return values[0]
	}
	return def
}

// All answers every value of a parameter; nil where it is absent.
func (q *Query) All(name string) []string { return q.get(name) }

// Values answers a copy of the whole query, for an address that repeats it.
func (q *Query) Values() url.Values { return maps.Clone(q.values) }

// Bool answers a parameter that is exactly true or false, or def where it is
// absent.
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

// Int answers a decimal integer between low and high, or def where the
// parameter is absent.
func (q *Query) Int(name string, def, low, high int) int {
	if !q.Has(name) {
		return def
	}
	n, err := strconv.Atoi(q.String(name, ""))
	if err != nil || n < low || n > high {
		q.fail(name, "must be a whole number from "+strconv.Itoa(low)+" to "+strconv.Itoa(high))
		return def
	}
	return n
}

func (q *Query) fail(name, why string) {
	if q.err == nil {
		q.err = fault.Invalidf("INVALID_PARAMETER", "query parameter %s %s", name, why)
	}
}
