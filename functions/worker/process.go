package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

// maxDeaths is how often a delivery may be begun without an end. Above it, the
// delivery is considered to be the reason why the worker dies.
const maxDeaths = 5

// The reasons why a delivery is not tried at all.
var (
	errDeadly = errors.New("it was begun several times and never ended: the worker has crashed or run out of time on it, or on its neighbours")
	errTried  = errors.New("it has been begun too often")
)

// nothing is the text for deliveries without facts.
const nothing = "it states nothing that this server keeps"

// asked is the text for deliveries that may be copies.
const asked = "its body came before: the installation is refreshed instead"

// outcome is the outcome of a try.
type outcome struct {
	// concerned says that the delivery had facts.
	concerned bool
	// skipped says what was left out of the delivery, and why.
	skipped []string
	// repeated says that the delivery may be a copy, and so the host is asked
	// instead.
	repeated bool
}

// text returns the text about the outcome that is stored for operators.
func (o outcome) text() string {
	var parts []string
	if !o.concerned {
		parts = append(parts, nothing)
	}
	if o.repeated {
		parts = append(parts, asked)
	}
	if len(o.skipped) > 0 {
		parts = append(parts, "left out: "+strings.Join(o.skipped, "; "))
	}
	text := strings.Join(parts, "; ")
	return text[:min(len(text), maxProblem)]
}

// process processes one delivery, even if earlier tries have done a part of it. It
// returns an error if the outcome could not be written.
func (w *worker) process(ctx context.Context, run *tally, begin func(context.Context, delivery.Key, time.Time) (delivery.Delivery, error), key delivery.Key) error {
	d, err := begin(ctx, key, w.now())
	if errors.Is(err, delivery.ErrOver) {
		return nil
	}
	if err != nil {
		return err
	}
	var o outcome
	applied := d.Applied
	switch {
	case d.Tries > delivery.MaxTries:
		err = errTried
	case d.Begun > maxDeaths:
		err = errDeadly
	default:
		o, err = w.within(ctx, &d)
	}
	if ctx.Err() != nil {
		return ctx.Err() // the time is over: that is not the delivery's fault
	}
	if err != nil && d.Applied > applied { // the list is too long for one try
		_, err = w.deliveries.Continue(ctx, d, w.now())
	} else if d, err = w.end(ctx, d, o, err); err == nil {
		run.count(d, w.now())
	}
	if errors.Is(err, delivery.ErrOver) {
		return nil // another try has begun since and writes the outcome
	}
	return err
}

// end writes the outcome of a try.
func (w *worker) end(ctx context.Context, d delivery.Delivery, o outcome, problem error) (delivery.Delivery, error) {
	if problem != nil {
		return w.park(ctx, d, problem)
	}
	if d.State = delivery.Ignored; o.concerned {
		d.State = delivery.Done
	}
	if len(o.skipped) > 0 {
		w.log.LogAttrs(ctx, slog.LevelWarn, "left out", slog.String("vcs", string(d.Installation.VCS)), slog.String("installation", string(d.Installation.ID)),
			slog.String("delivery", d.ID), slog.String("event", d.Event), slog.Any("skipped", o.skipped))
	}
	return d, w.deliveries.Finish(ctx, d, d.State, o.text(), w.now())
}

// maxProblem is the maximum length of a stored error, in bytes.
const maxProblem = 1000

// park ends a try that failed. A delivery that cannot be read will fail again in a
// minute. It may become readable after a deployment.
func (w *worker) park(ctx context.Context, d delivery.Delivery, problem error) (delivery.Delivery, error) {
	park := w.deliveries.Park
	if unreadable := (*vcsevent.Undecodable)(nil); errors.As(problem, &unreadable) {
		park = w.deliveries.GiveUp
	}
	text := problem.Error()
	parked, err := park(ctx, d, text[:min(len(text), maxProblem)], w.now())
	became := delivery.Parked
	if parked.State == delivery.Dismissed {
		became = delivery.Dismissed
	}
	w.log.LogAttrs(ctx, slog.LevelError, string(became), slog.String("vcs", string(d.Installation.VCS)), slog.String("delivery", d.ID),
		slog.String("event", d.Event), slog.Int("tries", d.Tries), slog.Time("next_try", parked.NextTry), slog.String("error", text))
	return parked, err
}

// within tries a delivery, for its share of the time.
func (w *worker) within(ctx context.Context, d *delivery.Delivery) (o outcome, err error) {
	own, cancel := context.WithTimeout(ctx, w.share)
	defer cancel()
	if o, err = w.try(own, d); err != nil && own.Err() != nil {
		err = fmt.Errorf("it has used up its %s: %w", w.share, err)
	}
	return o, err
}

// try stores the facts of a delivery.
func (w *worker) try(ctx context.Context, d *delivery.Delivery) (o outcome, err error) {
	defer frame.Guard(&err)
	author := change.Author{Principal: "webhook:" + string(d.Installation.VCS), Credential: d.ID, Request: telemetry.Invocation(ctx), At: d.ReceivedAt}
	if d.Installation.VCS == vcs.GitLab { // any delivery shows that the group's webhook works; nothing else does
		if err := w.facts.installations.Delivered(ctx, author, d.Installation); err != nil {
			return outcome{}, err
		}
	}
	body, err := w.deliveries.Body(ctx, *d)
	if err != nil {
		return outcome{}, err
	}
	var e vcsevent.Event
	if d.Installation.VCS == vcs.GitLab {
		e, err = vcsevent.GitLab(d.Event, d.Installation.ID, body)
	} else {
		e, err = vcsevent.GitHub(d.Event, body)
	}
	if err != nil {
		return outcome{}, err
	}
	if d.Repeated {
		e.Facts = doubted(e.Facts)
	}
	kept, skipped := inTime(*d, e.Facts, w.now())
	return outcome{concerned: len(e.Facts) > 0, skipped: append(e.Skipped, skipped...), repeated: d.Repeated}, w.keep(ctx, author, d, kept)
}
