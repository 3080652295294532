package repoconfig

import (
	"fmt"
	"strings"
	"time"
)

// TimeOfDay is a time of each day in a zone.
type TimeOfDay struct {
	// After is the time since midnight.
	After time.Duration
	Zone  *time.Location
}

// Window is a time of day from Start until End. If End is before Start, it goes over
// midnight.
type Window struct{ Start, End TimeOfDay }

// parseTimeOfDay reads "HH:MM ZONE". The zone is an IANA name or an offset such as
// +02:00.
func parseTimeOfDay(text string) (TimeOfDay, error) {
	refused := fmt.Errorf(`%.60q is not a time of day with a zone; write "22:00 Europe/Berlin", "22:00 UTC" or "22:00 +02:00"`, text)
	clock, zone, found := strings.Cut(text, " ")
	if !found {
		return TimeOfDay{}, refused
	}
	at, err := time.Parse("15:04", clock)
	if err != nil || len(clock) != len("15:04") {
		return TimeOfDay{}, refused
	}
	of := TimeOfDay{After: time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute}
	if offset, err := time.Parse("-07:00", zone); err == nil {
		of.Zone = offset.Location()
		_, seconds := offset.Zone()
		of.Zone = time.FixedZone(zone, seconds)
		return of, nil
	}
	if zone == "" || zone == "Local" {
		return TimeOfDay{}, refused
	}
	if of.Zone, err = time.LoadLocation(zone); err != nil {
		return TimeOfDay{}, refused
	}
	return of, nil
}

// on returns the time of day on the day of a time in its zone.
func (t TimeOfDay) on(day time.Time) time.Time {
	y, m, d := day.In(t.Zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, t.Zone).Add(t.After)
}

// Contains reports whether a time lies in the window. Its end does not belong to it.
func (w Window) Contains(at time.Time) bool {
	start, end := w.Start.on(at), w.End.on(at)
	if end.After(start) {
		return !at.Before(start) && at.Before(end)
	}
	return !at.Before(start) || at.Before(end)
}
