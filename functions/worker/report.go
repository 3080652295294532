package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/frame"
)

// tally counts what one invocation has done.
type tally struct {
	mu sync.Mutex

	// Done, Ignored, Parked and Dismissed count deliveries by their outcome.
	Done      int `json:"done"`
	Ignored   int `json:"ignored"`
	Parked    int `json:"parked"`
	Dismissed int `json:"dismissed"`
	// Due is how many deliveries were found due. Stuck is how many wait for an
	// operator. Waiting is how many are parked until their next try. Only scheduled
	// runs count them. StuckOf and WaitingOf name the installations.
	Due       int      `json:"due"`
	Stuck     int      `json:"stuck"`
	Waiting   int      `json:"waiting"`
	StuckOf   []string `json:"stuck_of,omitempty"`
	WaitingOf []string `json:"waiting_of,omitempty"`
	// NewlyStuck is the number of installations that operators must be notified of:
	// those whose first stuck delivery became stuck a moment ago, or a moment and a
	// whole number of days ago.
	NewlyStuck int `json:"newly_stuck"`
	// Lag is the longest time from a delivery's arrival to its end.
	Lag time.Duration `json:"-"`
}

// count adds a delivery that has ended at a time.
func (t *tally) count(d delivery.Delivery, end time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch d.State {
	case delivery.Done:
		t.Done++
	case delivery.Ignored:
		t.Ignored++
	case delivery.Dismissed:
		t.Dismissed++
	default:
		t.Parked++
	}
	t.Lag = max(t.Lag, end.Sub(d.ReceivedAt))
}

const (
	// named is the maximum number of installations that a run names.
	named = 20
	// moment is how long an installation counts as newly stuck. It is two periods
	// of the alarm, so that at least one run within it counts the installation.
	moment = 10 * time.Minute
	// reminder is the time after which the installation counts as newly stuck
	// again.
	reminder = 24 * time.Hour
)

// stuck records the stuck deliveries at a time.
func (t *tally) stuck(list []delivery.Backlog, now time.Time) {
	t.Stuck, t.StuckOf = sum(list)
	for _, b := range list {
		if age := now.Sub(b.Since); age < 0 || age%reminder < moment {
			t.NewlyStuck++
		}
	}
}

// waiting records the deliveries that wait for their next try.
func (t *tally) waiting(list []delivery.Backlog) { t.Waiting, t.WaitingOf = sum(list) }

// sum returns the number of deliveries and the first installations of the list.
func sum(list []delivery.Backlog) (count int, of []string) {
	for _, b := range list {
		if count += b.Count; len(of) < named {
			of = append(of, b.String())
		}
	}
	return count, of
}

// counts returns the numbers of the log line.
func (t *tally) counts() []frame.Count {
	return []frame.Count{
		{Name: "done", Unit: frame.Things, Value: int64(t.Done)},
		{Name: "ignored", Unit: frame.Things, Value: int64(t.Ignored)},
		{Name: "parked", Unit: frame.Things, Value: int64(t.Parked)},
		{Name: "dismissed", Value: int64(t.Dismissed)},
		{Name: "due", Unit: frame.Things, Value: int64(t.Due)},
		{Name: "stuck", Unit: frame.Things, Value: int64(t.Stuck)},
		{Name: "newly_stuck", Unit: frame.Things, Value: int64(t.NewlyStuck)},
		{Name: "waiting", Unit: frame.Things, Value: int64(t.Waiting)},
		{Name: "lag_ms", Unit: frame.Milliseconds, Value: t.Lag.Milliseconds()},
	}
}

// report writes the log line of an invocation.
func (w *worker) report(ctx context.Context, run *tally, err error) {
	line := frame.Line{Message: "process", Counts: run.counts()}
	if run.Stuck > 0 {
		line.Details = append(line.Details, slog.Any("stuck_of", run.StuckOf))
	}
	if run.Waiting > 0 {
		line.Details = append(line.Details, slog.Any("waiting_of", run.WaitingOf))
	}
	line.Write(ctx, w.log, w.now(), err)
}
