package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/delivery"
	"github.com/opsplane/opsplane/shared/vcsevent"
)

// maxDeaths is how often a delivery may have been begun without any end before
// it is taken for what ends the worker.
const maxDeaths = 5

// nothing is said of deliveries that tell nothing.
const nothing = "it tells nothing that this server keeps"

// process does one delivery, whatever was done of it before. Its error is that
// the outcome could not be written.
func (w *worker) process(ctx context.Context, run *tally, key delivery.Key) error {
	d, err := w.deliveries.Begin(ctx, key)
	if errors.Is(err, delivery.ErrOver) {
		return nil
	}
	if err != nil {
		return err
	}
	err = errDeadly
	concerned := false
	if d.State == delivery.Parked || d.Tries <= maxDeaths {
		concerned, err = w.try(ctx, d)
	}
	if ctx.Err() != nil {
		return ctx.Err() // time is over: it is not the delivery's fault
	}
	switch {
	case err != nil:
		err = w.park(ctx, d, err)
		run.Parked++
	case concerned:
		err = w.deliveries.Finish(ctx, d, delivery.Done, "", w.now())
		run.Done++
	default:
		err = w.deliveries.Finish(ctx, d, delivery.Ignored, nothing, w.now())
		run.Ignored++
	}
	run.Lag = max(run.Lag, w.now().Sub(d.ReceivedAt))
	if errors.Is(err, delivery.ErrOver) {
		return nil // another try has begun since, and writes the outcome
	}
	return err
}

var errDeadly = errors.New("the worker has ended several times while it processed this")

// maxProblem bounds what is kept of an error, in bytes.
const maxProblem = 1000

func (w *worker) park(ctx context.Context, d delivery.Delivery, problem error) error {
	text := problem.Error()
	parked, err := w.deliveries.Park(ctx, d, text[:min(len(text), maxProblem)], w.now())
	w.log.LogAttrs(ctx, slog.LevelError, "parked", slog.String("vcs", d.VCS), slog.String("delivery", d.ID),
		slog.String("event", d.Event), slog.Int("tries", d.Tries), slog.Time("next_try", parked.NextTry), slog.String("error", text))
	return err
}

// try has a delivery's effect, and reports whether it has any. A panic is an
// error, so that the others of the batch are done.
func (w *worker) try(ctx context.Context, d delivery.Delivery) (concerned bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	body, err := w.deliveries.Body(ctx, d)
	if err != nil {
		return false, err
	}
	var e vcsevent.Event
	if d.VCS == "gitlab" {
		e, err = vcsevent.GitLab(d.Event, d.Installation, body)
	} else {
		e, err = vcsevent.GitHub(d.Event, body)
	}
	if err != nil {
		return false, err
	}
	author := change.Author{Principal: "webhook:" + d.VCS, Credential: d.ID, Request: request(ctx), At: d.ReceivedAt}
	for _, c := range e.Changes {
		if err := w.facts.apply(ctx, author, d, c); err != nil {
			return false, err
		}
	}
	return len(e.Changes) > 0, nil
}
