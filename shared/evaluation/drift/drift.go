// Package drift decides when it is looked for drift (orchestration, 20). The package is
// pure.
package drift

import (
	"time"

	"github.com/opsplane/opsplane/shared/repoconfig"
)

// Due reports whether a schedule is due: it was never tried, it changed since it was tried
// last, or the calendar has begun a new hour, day, week or month since then. tried is zero
// if it was never tried. With a window, it is due only in it, and days begin when the
// window does, so that a window over midnight is one.
func Due(s repoconfig.DriftSchedule, changed, tried, now time.Time) bool {
	zone, shift := time.UTC, time.Duration(0)
	if w := s.Window; w != nil {
		if !w.Contains(now) {
			return false
		}
		zone, shift = w.Start.Zone, w.Start.After
	}
	if tried.IsZero() || changed.After(tried) {
		return true
	}
	return slot(s.Every, tried.In(zone).Add(-shift)).Before(slot(s.Every, now.In(zone).Add(-shift)))
}

// slot returns the beginning of the hour, day, week or month of a time.
func slot(every repoconfig.Interval, at time.Time) time.Time {
	y, m, d := at.Date()
	switch every {
	case repoconfig.Hourly:
		return time.Date(y, m, d, at.Hour(), 0, 0, 0, at.Location())
	case repoconfig.Weekly:
		monday := (int(at.Weekday()) + 6) % 7
		return time.Date(y, m, d-monday, 0, 0, 0, 0, at.Location())
	case repoconfig.Monthly:
		return time.Date(y, m, 1, 0, 0, 0, 0, at.Location())
	default:
		return time.Date(y, m, d, 0, 0, 0, 0, at.Location())
	}
}
