package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// readInt reads a JSON number that is a whole number from low to high, however
// it is written: clients that know one kind of number only send 1.0 or 1e0 for
// 1, and the API document's integers are those of JSON Schema, which are values.
func readInt(text json.RawMessage, low, high int) (int, bool) {
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

func mustBeInt(low, high int) string {
	return fmt.Sprintf("must be a whole number from %d to %d", low, high)
}

// orZero is the number, or 0 where there is none.
func orZero(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}
