package httpapi

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// wholeNumber reads a JSON number that is a whole number from low to high, in any
// notation. Clients that have only one kind of number send 1.0 or 1e0 for 1. The
// integers of the API document are those of JSON Schema, which defines them by
// their value.
func wholeNumber(text json.RawMessage, low, high int) (int, bool) {
	v, err := canonical.Parse(text)
	if err != nil {
		return 0, false
	}
	whole, fraction, _ := strings.Cut(string(v.Text), ".")
	n, err := strconv.Atoi(whole)
	if err != nil || strings.Trim(fraction, "0") != "" || n < low || n > high {
		return 0, false
	}
	return n, true
}

// MustBeInt says in an error text what a whole number must be.
func MustBeInt(low, high int) string {
	return fmt.Sprintf("must be a whole number from %d to %d", low, high)
}
