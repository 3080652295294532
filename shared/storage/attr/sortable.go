package attr

import (
	"fmt"
	"strconv"
	"time"
)

// The number of digits of times in sort keys. Texts of equal length sort as the
// numbers do.
const (
	// MillisDigits is the length of SortMillis. It lasts until the year 2286.
	MillisDigits = 13
	// secondsDigits is the length of SortSeconds. It lasts for 30,000 years.
	secondsDigits = 12
)

// SortMillis writes a time as Unix milliseconds with leading zeros, for a sort key.
// A time before 1970 is written as 1970.
func SortMillis(t time.Time) string { return fmt.Sprintf("%0*d", MillisDigits, max(t.UnixMilli(), 0)) }

// SortSeconds writes a time as Unix seconds with leading zeros, for a sort key. A
// time before 1970 is written as 1970.
func SortSeconds(t time.Time) string { return fmt.Sprintf("%0*d", secondsDigits, max(t.Unix(), 0)) }

// ParseSortMillis reads what SortMillis wrote, as UTC.
func ParseSortMillis(text string) (time.Time, error) {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms < 0 || len(text) != MillisDigits {
		return time.Time{}, fmt.Errorf("%q is not a time of %d digits", text, MillisDigits)
	}
	return time.UnixMilli(ms).UTC(), nil
}
