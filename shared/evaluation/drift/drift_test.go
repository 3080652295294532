package drift_test

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/drift"
	"github.com/opsplane/opsplane/shared/repoconfig"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	made, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestScheduleIsDueOnceInEachSlot(t *testing.T) {
	t.Parallel()
	window := "window: {start: '22:00 UTC', end: '04:00 UTC'}"
	for _, c := range []struct {
		every, window, changed, tried, now string
		want                               bool
	}{
		{"daily", "", "2026-06-01 00:00", "", "2026-06-01 00:01", true},
		{"daily", "", "2026-06-01 10:00", "2026-06-01 09:00", "2026-06-01 11:00", true},
		{"daily", "", "2026-05-01 00:00", "2026-06-01 00:00", "2026-06-01 23:59", false},
		{"daily", "", "2026-05-01 00:00", "2026-06-01 23:59", "2026-06-02 00:00", true},
		{"hourly", "", "2026-05-01 00:00", "2026-06-01 09:01", "2026-06-01 09:59", false},
		{"hourly", "", "2026-05-01 00:00", "2026-06-01 09:59", "2026-06-01 10:00", true},
		{"weekly", "", "2026-05-01 00:00", "2026-06-01 09:00", "2026-06-07 23:59", false}, // Monday to Sunday
		{"weekly", "", "2026-05-01 00:00", "2026-06-07 09:00", "2026-06-08 00:00", true},
		{"monthly", "", "2026-05-01 00:00", "2026-05-31 23:00", "2026-06-01 00:00", true},
		{"monthly", "", "2026-04-01 00:00", "2026-05-01 00:00", "2026-05-31 23:59", false},
		{"daily", window, "2026-05-01 00:00", "", "2026-06-01 12:00", false},
		{"daily", window, "2026-05-01 00:00", "2026-06-01 22:30", "2026-06-02 01:00", false}, // one window
		{"daily", window, "2026-05-01 00:00", "2026-06-02 01:00", "2026-06-02 22:00", true},
	} {
		text := "drift: {enabled: true, schedules: {s: {schedule: " + c.every + ", tag_query: ''"
		if c.window != "" {
			text += ", " + c.window
		}
		config, err := repoconfig.LoadDefaultBranch(repoconfig.File{Name: "f", Text: []byte(text + "}}}")})
		if err != nil {
			t.Fatal(err)
		}
		if got := drift.Due(config.Drift[0], at(t, c.changed), at(t, c.tried), at(t, c.now)); got != c.want {
			t.Errorf("%+v: got %t", c, got)
		}
	}
}
