package runstore_test

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/run/runstore"
)

func TestLimitsAreWholeNumbersOfTheirUnits(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{"1": day, "400": 400 * day, "36500": 36500 * day, "": 0, "0": 0, "-1": 0, "1.5": 0, "36501": 0, "9999999999": 0, "x": 0} {
		env := map[string]string{"RUN_RETENTION_DAYS": text, "RUN_START_MINUTES": "15", "RUN_REPORT_HOURS": "23"}
		got, err := runstore.LimitsFromEnv(func(name string) string { return env[name] })
		if (err == nil) != (want > 0) {
			t.Errorf("%q: got %v, want an error: %t", text, err, want == 0)
		}
		if err == nil && got != (runstore.Limits{Keep: want, Start: 15 * time.Minute, Report: 23 * time.Hour}) {
			t.Errorf("%q: got %+v", text, got)
		}
	}
	for _, absent := range []string{"RUN_RETENTION_DAYS", "RUN_START_MINUTES", "RUN_REPORT_HOURS"} {
		if _, err := runstore.LimitsFromEnv(func(name string) string {
			if name == absent {
				return ""
			}
			return "1"
		}); err == nil {
			t.Errorf("%s may be absent", absent)
		}
	}
}

func TestRunIsKeptForLongerThanItMayTake(t *testing.T) {
	t.Parallel()
	for report, accepted := range map[string]bool{"23": true, "24": false, "720": false} {
		env := map[string]string{"RUN_RETENTION_DAYS": "1", "RUN_START_MINUTES": "1", "RUN_REPORT_HOURS": report}
		if _, err := runstore.LimitsFromEnv(func(name string) string { return env[name] }); (err == nil) != accepted {
			t.Errorf("%s hours for a report: %v", report, err)
		}
	}
	env := map[string]string{"RUN_RETENTION_DAYS": "1", "RUN_START_MINUTES": "60", "RUN_REPORT_HOURS": "23"}
	if _, err := runstore.LimitsFromEnv(func(name string) string { return env[name] }); err == nil {
		t.Error("a run may take as long as it is kept")
	}
}
