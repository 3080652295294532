package runquery

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Interval is a time from From, included, to To, excluded. A zero bound is
// open.
type Interval struct{ From, To time.Time }

// Contains reports whether at lies in the interval.
func (i Interval) Contains(at time.Time) bool {
	return (i.From.IsZero() || !at.Before(i.From)) && (i.To.IsZero() || at.Before(i.To))
}

// times reads the value of a Time key:
//
//	A..               from A to now
//	..B               before B
//	A..B              from A, included, to B, excluded
//	YYYY-MM-DD        that day: 24 hours from its start
//	YYYY-MM-DD HH:MM  that minute
//
// A and B are dates or minutes. Dates may be shorter ("2024", "2024-1"), and
// seconds are left out of account. The empty value matches nothing.
func (c *compiler) times(key, value string) (node, error) {
	if value == "" {
		return test{key: key, compare: func(Row) truth { return no }}, nil
	}
	zone, err := time.LoadLocation(c.zone)
	if err != nil || c.zone == "Local" {
		return nil, &Error{ID: "UNKNOWN_TIME_ZONE", Data: c.zone}
	}
	interval, ok := c.interval(value, zone)
	if !ok {
		return nil, &Error{ID: "BAD_DATE_FORMAT", Data: value}
	}
	return test{key: key, term: []Term{{Key: key, Times: interval}}, compare: func(r Row) truth {
		at, ok := r.Time(key)
		if !ok {
			return unknown
		}
		return truthOf(interval.Contains(at))
	}}, nil
}

func (c *compiler) interval(value string, zone *time.Location) (i Interval, ok bool) {
	from, to, isRange := strings.Cut(value, "..")
	if !isRange {
		at, length, ok := moment(value, zone)
		return Interval{at, at.Add(length)}, ok
	}
	if from == "" && to == "" {
		return Interval{}, false
	}
	if from != "" {
		if i.From, _, ok = moment(from, zone); !ok {
			return Interval{}, false
		}
		i.To = c.now.Truncate(time.Second).Add(time.Second) // now itself is in
	}
	if to != "" {
		if i.To, _, ok = moment(to, zone); !ok {
			return Interval{}, false
		}
	}
	return i, true
}

var momentForm = regexp.MustCompile(`^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?: +(\d{1,2})(?::(\d{1,2})(?::\d{1,2})?)?)?)?)?$`)

// moment reads a date or a minute as wall-clock time, and how long it lasts.
func moment(text string, zone *time.Location) (at time.Time, length time.Duration, ok bool) {
	parts := momentForm.FindStringSubmatch(text)
	if parts == nil {
		return time.Time{}, 0, false
	}
	number := [5]int{1, 1, 1, 0, 0} // year, month, day, hour, minute
	for n, part := range parts[1:] {
		if part != "" {
			number[n], _ = strconv.Atoi(part) // at most four digits
		}
	}
	year, month, day, hour, minute := number[0], number[1], number[2], number[3], number[4]
	at = time.Date(year, time.Month(month), day, hour, minute, 0, 0, zone)
	// time.Date takes the 32nd of January for the 1st of February.
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if year < 1 || int(date.Month()) != month || date.Day() != day || hour > 23 || minute > 59 {
		return time.Time{}, 0, false
	}
	if parts[4] != "" {
		return at, time.Minute, true
	}
	return at, 24 * time.Hour, true
}
