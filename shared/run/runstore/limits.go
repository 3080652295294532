package runstore

import (
	"fmt"
	"strconv"
	"time"
)

const day = 24 * time.Hour

// maxSpan is the longest time that the environment can name: 100 years. It keeps
// sums of times within what the table can hold.
const maxSpan = 100 * 365 * day

// LimitsFromEnv returns the limits that the environment names: RUN_RETENTION_DAYS,
// RUN_START_MINUTES and RUN_REPORT_HOURS, each as SpanFromEnv reads it. A run must be kept
// for longer than it may take to start and to report: the table removes an expired run in
// any state.
func LimitsFromEnv(env func(string) string) (Limits, error) {
	var l Limits
	for _, of := range []struct {
		name  string
		unit  time.Duration
		limit *time.Duration
	}{
		{"RUN_RETENTION_DAYS", day, &l.Keep},
		{"RUN_START_MINUTES", time.Minute, &l.Start},
		{"RUN_REPORT_HOURS", time.Hour, &l.Report},
	} {
		var err error
		if *of.limit, err = SpanFromEnv(env, of.name, of.unit); err != nil {
			return Limits{}, err
		}
	}
	if l.Keep <= l.Start+l.Report {
		return Limits{}, fmt.Errorf("RUN_RETENTION_DAYS is %s; it must be longer than RUN_START_MINUTES and RUN_REPORT_HOURS together, %s", l.Keep, l.Start+l.Report)
	}
	return l, nil
}

// SpanFromEnv returns a time that a variable of the environment names as a whole
// number of units, from 1 to 100 years. A function must not start with any other
// value: it would store runs that are never swept, or that are kept for too short a
// time.
func SpanFromEnv(env func(string) string, name string, unit time.Duration) (time.Duration, error) {
	n, err := strconv.ParseUint(env(name), 10, 31)
	if err != nil || n == 0 || time.Duration(n) > maxSpan/unit {
		return 0, fmt.Errorf("%s is %q; it must be a whole number from 1 to %d", name, env(name), maxSpan/unit)
	}
	return time.Duration(n) * unit, nil
}
