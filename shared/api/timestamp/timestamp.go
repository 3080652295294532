// Package timestamp is the one text form of a time in the API's JSON and query
// parameters: RFC 3339.
package timestamp

import "time"

// Example is a time in the form of this package, for error texts.
const Example = "2030-01-31T00:00:00Z"

// Format returns a time in UTC, to the second, such as 2030-01-31T00:00:00Z. It
// returns an empty text for the zero time, so that "omitempty" leaves it out.
func Format(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Parse reads a time of RFC 3339 with any offset. Fractions of a second are allowed.
func Parse(text string) (time.Time, error) { return time.Parse(time.RFC3339, text) }
