package runstore

import (
	"fmt"
	"strconv"
	"time"
)

// LimitsFromEnv returns the limits that the environment names: RUN_RETENTION_DAYS,
// RUN_START_MINUTES and RUN_REPORT_HOURS, each a whole number from 1.
func LimitsFromEnv(env func(string) string) (Limits, error) {
	var l Limits
	for name, of := range map[string]struct {
		limit *time.Duration
		unit  time.Duration
	}{
		"RUN_RETENTION_DAYS": {&l.Keep, 24 * time.Hour},
		"RUN_START_MINUTES":  {&l.Start, time.Minute},
		"RUN_REPORT_HOURS":   {&l.Report, time.Hour},
	} {
		n, err := strconv.ParseUint(env(name), 10, 31)
		if err != nil || n == 0 {
			return Limits{}, fmt.Errorf("%s is %q; it must be a whole number from 1", name, env(name))
		}
		*of.limit = time.Duration(n) * of.unit
	}
	return l, nil
}
