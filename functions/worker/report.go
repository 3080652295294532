package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/frame"
)

// tally is what one invocation has done.
type tally struct {
	mu sync.Mutex

	// Done, Ignored, Parked and Dismissed count deliveries by what became of them.
	Done      int `json:"done"`
	Ignored   int `json:"ignored"`
	Parked    int `json:"parked"`
	Dismissed int `json:"dismissed"`
	// Due is how many were found due, Stuck how many wait for an operator, and
	// Waiting how many are parked until their next try; they are counted by
	// scheduled runs alone. StuckOf and WaitingOf say of which installations these
	// are.
	Due       int      `json:"due"`
	Stuck     int      `json:"stuck"`
	Waiting   int      `json:"waiting"`
	StuckOf   []string `json:"stuck_of,omitempty"`
	WaitingOf []string `json:"waiting_of,omitempty"`
	// NewlyStuck is how many installations an operator is to be told of: those whose
	// first stuck delivery was given up a moment ago, or that ago and a number of
	// days.
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
	// named is how many installations a run names.
	named = 20
	// moment is how long an installation counts as newly stuck: two periods of the
	// alarm, so that one run in it has certainly counted it.
	moment = 10 * time.Minute
	// reminder is after what time it counts again.
	reminder = 24 * time.Hour
)

// stuck notes what is stuck as of a time.
func (t *tally) stuck(list []delivery.Backlog, now time.Time) {
	t.Stuck, t.StuckOf = sum(list)
	for _, b := range list {
		if age := now.Sub(b.Since); age < 0 || age%reminder < moment {
			t.NewlyStuck++
		}
	}
}

// waiting notes what waits for its next try.
func (t *tally) waiting(list []delivery.Backlog) { t.Waiting, t.WaitingOf = sum(list) }

// sum is how many deliveries there are, and of which installations: the first of
// the list.
func sum(list []delivery.Backlog) (count int, of []string) {
	for _, b := range list {
		if count += b.Count; len(of) < named {
			of = append(of, b.String())
		}
	}
	return count, of
}

// counts are the numbers of the log line.
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
