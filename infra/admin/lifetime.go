package admin

import (
	"strconv"
	"strings"
	"time"
)

// lifetime is a flag that says how long something lasts from now. It is written as
// Go writes durations, or in days: 720h, 30d.
type lifetime time.Duration

// maxDays limits the days to what a duration can hold, which is about 292 years.
const maxDays = 36_500

// String implements flag.Value.
func (l *lifetime) String() string { return time.Duration(*l).String() }

// Set implements flag.Value.
func (l *lifetime) Set(text string) error {
	wrong := usagef("a time from now, more than none, is expected, such as 30d or 720h")
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > maxDays {
			return wrong
		}
		*l = lifetime(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return wrong
	}
	*l = lifetime(d)
	return nil
}
