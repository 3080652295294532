package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/fault"
)

// jsonTypes are the media types that are read as JSON; parameters such as a
// charset are accepted with any of them.
var jsonTypes = []string{
	"application/json", "application/x-javascript", "text/javascript", "text/x-javascript", "text/x-json",
}

// DecodeBody reads the JSON body of r into v: valid UTF-8, one JSON value,
// nothing behind it. Unknown members are ignored. Anything else is an Invalid
// fault that names the member.
func DecodeBody(r *http.Request, v any) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(jsonTypes, media) {
		return fault.Invalidf("INVALID_CONTENT_TYPE", "send the body with the header Content-Type: application/json")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fault.Invalidf("INVALID_BODY", "the body could not be read")
	}
	if len(body) == 0 {
		return fault.Invalidf("INVALID_BODY", "the body is empty; send a JSON object")
	}
	if !utf8.Valid(body) {
		return fault.Invalidf("INVALID_BODY", "the body is not valid UTF-8")
	}
	return describe(json.Unmarshal(body, v))
}

// describe turns a JSON error into a fault without naming Go types.
func describe(err error) error {
	var (
		f      *fault.Error
		syntax *json.SyntaxError
		typ    *json.UnmarshalTypeError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.As(err, &syntax):
		return fault.Invalidf("INVALID_BODY", "the body is not JSON: error at byte %d", syntax.Offset)
	case errors.As(err, &typ) && typ.Field == "":
		return fault.Invalidf("INVALID_BODY", "the body must be a JSON object; send one in braces")
	case errors.As(err, &typ):
		return fault.Invalidf("INVALID_BODY", "member %q cannot be this %s", typ.Field, typ.Value)
	}
	return fault.Invalidf("INVALID_BODY", "the body does not have the expected form")
}

// Query reads query parameters. The first parameter that cannot be read is
// remembered; Err answers it, so that a decoder checks once. Scalars take
// the first value given.
type Query struct {
	values url.Values
	err    error
}

// NewQuery reads the query of r.
func NewQuery(r *http.Request) *Query { return &Query{values: r.URL.Query()} }

// Err is the Invalid fault of the first parameter that could not be read.
func (q *Query) Err() error { return q.err }

// Has reports whether the parameter is present.
func (q *Query) Has(name string) bool { return q.values.Has(name) }

// String answers a parameter's value, or def where it is absent.
func (q *Query) String(name, def string) string {
	if !q.Has(name) {
		return def
	}
	return q.values.Get(name)
}

// All answers every value of a parameter.
func (q *Query) All(name string) []string { return q.values[name] }

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
	n, err := strconv.Atoi(q.values.Get(name))
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
