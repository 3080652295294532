package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/background/stream"
)

type worker struct {
	deliveries delivery.Store
	facts      facts
	log        *slog.Logger
	now        func() time.Time
	// share bounds the time of one try.
	share time.Duration
}

// reserve is how much of its time an invocation keeps back, so that it hands back
// what it has not begun.
const reserve = 5 * time.Second

// share is how much of an invocation's minute one delivery may use up: what
// takes longer must not keep the time from its neighbours.
const share = 20 * time.Second

// maxDue is how many deliveries a scheduled run tries.
const maxDue = 100

// handle processes the deliveries of a stream event, those of a repository in
// their order, or, woken by the schedule, those that are due. A delivery that
// fails is parked and holds up nobody; what could not even be parked is handed
// back to the stream.
func (w *worker) handle(ctx context.Context, event json.RawMessage) (any, error) {
	records, err := stream.Records(event)
	if err != nil {
		return nil, err
	}
	ctx, cancel := frame.KeepBack(ctx, reserve)
	defer cancel()
	run := &tally{}
	if len(records) == 0 {
		err := w.sweep(ctx, run)
		w.report(ctx, run, err)
		return run, err
	}
	response, err := w.stream(ctx, run, records)
	w.report(ctx, run, err)
	return response, nil
}

// stream processes the deliveries that records tell of. It names the first one that
// could not be ended: Lambda then goes on from there. Those behind it that were ended
// are over by then.
func (w *worker) stream(ctx context.Context, run *tally, records []stream.Record) (events.DynamoDBEventResponse, error) {
	list := arrivals(records)
	failed := inOrder(ctx, list, func(e errand) error {
		return w.process(ctx, run, w.deliveries.Begin, e.key)
	})
	return handedBack(list, failed)
}

// arrivals are the deliveries that records tell of, in their order.
func arrivals(records []stream.Record) []errand {
	var list []errand
	for _, record := range records {
		if key, repository, ok := delivery.Wakes(record); ok {
			list = append(list, errand{key: key, repository: repository, record: record})
		}
	}
	return list
}

// handedBack is the function's response where some errands have failed, with the
// error of the first of them.
func handedBack(list []errand, failed []error) (events.DynamoDBEventResponse, error) {
	for i, err := range failed {
		if err != nil {
			return stream.Failures(list[i].record), err
		}
	}
	return stream.Failures(), nil
}

// sweep processes what is due: parked deliveries whose next try has come, and
// those that the stream has lost, or whose worker died and was not woken again.
// It goes on where one cannot be ended. Then it counts what is stuck, and what waits
// for its next try.
func (w *worker) sweep(ctx context.Context, run *tally) error {
	keys, err := w.deliveries.Due(ctx, w.now(), maxDue)
	if err != nil {
		return err
	}
	run.Due = len(keys)
	list := make([]errand, len(keys))
	for i, key := range keys {
		list[i].key = key // one of an installation after the other
	}
	failures := make(chan error, len(list)+2)
	inOrder(ctx, list, func(e errand) error {
		failures <- w.process(ctx, run, w.deliveries.BeginDue, e.key)
		return nil
	})
	stuck, err := w.deliveries.Stuck(ctx)
	run.stuck(stuck, w.now())
	failures <- err
	waiting, err := w.deliveries.Waiting(ctx)
	run.waiting(waiting)
	failures <- err
	close(failures)
	var all []error
	for err := range failures {
		all = append(all, err)
	}
	return errors.Join(all...)
}
