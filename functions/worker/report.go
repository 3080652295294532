package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/opsplane/opsplane/shared/delivery"
	"github.com/opsplane/opsplane/shared/telemetry"
)

// tally is what one invocation has done.
type tally struct {
	mu sync.Mutex

	// Done, Ignored and Parked count deliveries by what became of them.
	Done    int `json:"done"`
	Ignored int `json:"ignored"`
	Parked  int `json:"parked"`
	// Due is how many were found due, Stuck how many wait for an operator, and
	// Waiting how many are parked until their next try; they are counted by
	// scheduled runs alone.
	Due     int `json:"due"`
	Stuck   int `json:"stuck"`
	Waiting int `json:"waiting"`
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
	default:
		t.Parked++
	}
	t.Lag = max(t.Lag, end.Sub(d.ReceivedAt))
}

var metrics = []telemetry.Metric{
	{Name: "done", Unit: "Count"},
	{Name: "ignored", Unit: "Count"},
	{Name: "parked", Unit: "Count"},
	{Name: "due", Unit: "Count"},
	{Name: "stuck", Unit: "Count"},
	{Name: "waiting", Unit: "Count"},
	{Name: "lag_ms", Unit: "Milliseconds"},
}

// report writes the one line of an invocation.
func (w *worker) report(ctx context.Context, run *tally, err error) {
	attrs := []slog.Attr{
		slog.Int("done", run.Done), slog.Int("ignored", run.Ignored), slog.Int("parked", run.Parked),
		slog.Int("due", run.Due), slog.Int("stuck", run.Stuck), slog.Int("waiting", run.Waiting),
		slog.Int64("lag_ms", run.Lag.Milliseconds()), slog.String("request_id", telemetry.Invocation(ctx)), telemetry.Metrics(w.now(), metrics...),
	}
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	w.log.LogAttrs(ctx, level, "process", attrs...)
}
