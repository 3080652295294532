package main

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/template"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/vcs"
)

// unreadable stores and processes deliveries of a GitLab group or a GitHub
// installation that cannot be read.
func (r *rig) unreadable(t *testing.T, system, installation string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		d := delivery.Delivery{ID: delivery.ID(vcs.ID(installation), id), Event: "Push Hook", Installation: vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(installation)}, ReceivedAt: r.Clock.Now()}
		if invoke(t, r.worker, r.arrive(t, d, "not JSON")) != 1 {
			t.Fatal("not done")
		}
		r.Clock.Add(time.Second)
	}
}

// TestAlarmTellsOfEachInstallationOnceAndDaily makes deliveries of one group stuck,
// and then one of another installation. The second is reported while the first are
// still stuck.
func TestAlarmTellsOfEachInstallationOnceAndDaily(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var log strings.Builder
	r.log = slog.New(slog.NewJSONHandler(&log, nil))
	expect := func(when string, newly int, of ...string) {
		t.Helper()
		log.Reset()
		run := r.sweepOnce(t, r.worker)
		if run.NewlyStuck != newly || !slices.Equal(run.StuckOf, of) {
			t.Errorf("%s: %d newly stuck, of %q; want %d, of %q", when, run.NewlyStuck, run.StuckOf, newly, of)
		}
		if !strings.Contains(log.String(), fmt.Sprintf(`"newly_stuck":%d`, newly)) {
			t.Errorf("%s: the log says %s", when, log.String())
		}
		for _, name := range of {
			if !strings.Contains(log.String(), name) {
				t.Errorf("%s: the log does not name %s: %s", when, name, log.String())
			}
		}
	}
	expect("before", 0)
	r.unreadable(t, "gitlab", "77", "a", "b", "c", "d")
	expect("when the first are stuck", 1, "gitlab 77: 4")
	r.Clock.Add(time.Hour)
	expect("an hour later", 0, "gitlab 77: 4")
	r.unreadable(t, "gitlab", "77", "e")
	expect("when the same group has one more", 0, "gitlab 77: 5")
	r.unreadable(t, "github", "42", "a")
	expect("when another installation has one", 1, "gitlab 77: 5", "github 42: 1")
	r.Clock.Set(born.Add(24*time.Hour + time.Minute))
	expect("a day after the first", 1, "gitlab 77: 5", "github 42: 1")
	list, err := r.deliveries.StuckOf(t.Context(), vcs.Installation{VCS: "gitlab", ID: "77"})
	if err != nil || len(list) != 5 {
		t.Fatalf("%d are stuck, %v", len(list), err)
	}
	for _, d := range list {
		if err := r.deliveries.Dismiss(t.Context(), d, "operator:ann"); err != nil {
			t.Fatal(err)
		}
	}
	expect("when those of the group are dismissed", 0, "github 42: 1")
	r.Clock.Add(2 * time.Hour)
	r.unreadable(t, "gitlab", "77", "f")
	expect("when the group has one again", 1, "github 42: 1", "gitlab 77: 1")
}

// TestAlarmsWatchWhatTheWorkerCounts checks the names of metrics in the template.
func TestAlarmsWatchWhatTheWorkerCounts(t *testing.T) {
	t.Parallel()
	root, err := template.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(root + "/template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for alarm, metric := range map[string]string{"DeliveriesStuckAlarm": "newly_stuck", "DeliveriesParkedAlarm": "waiting"} {
		_, rest, _ := strings.Cut(string(text), "\n  "+alarm+":\n")
		_, rest, _ = strings.Cut(rest, "MetricName: ")
		watched, _, _ := strings.Cut(rest, "\n")
		counted := slices.ContainsFunc((&tally{}).counts(), func(c frame.Count) bool { return c.Name == metric && c.Unit != "" })
		if watched != metric || !counted {
			t.Errorf("%s watches %q, want %q; the worker counts it: %t", alarm, watched, metric, counted)
		}
	}
}

// TestAlarmOfWhatIsSentAgainAndAgainEnds makes a group send an unreadable delivery
// again every quarter of an hour.
func TestAlarmOfWhatIsSentAgainAndAgainEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := delivery.Delivery{ID: delivery.ID("77", "a"), Event: "Push Hook", Installation: vcs.Installation{VCS: "gitlab", ID: "77"}, ReceivedAt: r.Clock.Now()}
	told := 0
	for range 3 * delivery.MaxRedelivered {
		invoke(t, r.worker, r.arrive(t, d, "not JSON"))
		told += r.sweepOnce(t, r.worker).NewlyStuck
		r.Clock.Add(15 * time.Minute)
	}
	if told != 1+delivery.MaxRedelivered {
		t.Errorf("told of %d times, want once and at %d redeliveries", told, delivery.MaxRedelivered)
	}
	if got := r.state(t, d); got.State != delivery.Parked || got.Redelivered() != delivery.MaxRedelivered {
		t.Errorf("the delivery: %+v", got)
	}
}

func TestDeliveryThatIsDismissedAtOnceIsCountedAndLoggedAsThat(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var ids []string
	for n := range delivery.MaxStuck {
		ids = append(ids, fmt.Sprint(n))
	}
	r.unreadable(t, "gitlab", "77", ids...)
	var log strings.Builder
	r.log = slog.New(slog.NewJSONHandler(&log, nil))
	r.unreadable(t, "gitlab", "77", "beyond")
	for _, want := range []string{`"msg":"dismissed"`, `"parked":0,"dismissed":1`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s: %s", want, log.String())
		}
	}
}
