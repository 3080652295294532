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
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/background/stream"
)

type worker struct {
	deliveries delivery.Store
	facts      facts
	log        *slog.Logger
	now        func() time.Time
	// share is the maximum time of one try.
	share time.Duration
}

// reserve is the time that an invocation keeps back, so that it can give back what
// it has not begun.
const reserve = 5 * time.Second

// share is how much of an invocation's minute one delivery may use. A delivery that
// takes longer must not take the time of the others.
const share = 20 * time.Second

// maxDue is the maximum number of deliveries that a scheduled run tries.
const maxDue = 100

// handle processes the deliveries of a stream event. Deliveries of one repository
// are processed in their order. For an event of the schedule it processes the
// deliveries that are due. A delivery that fails is parked and does not hold up the
// others. If it could not be parked, its record is given back to the stream.
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

// stream processes the deliveries in records. It returns the first record whose
// delivery could not be ended, and Lambda continues from there. Deliveries after it
// that were ended are not processed again, because they are over.
func (w *worker) stream(ctx context.Context, run *tally, records []stream.Record) (events.DynamoDBEventResponse, error) {
	list := arrivals(records)
	failed := queue.InOrder(ctx, list, maxParallel, pendingDelivery.part, func(p pendingDelivery) error {
		return w.process(ctx, run, w.deliveries.Begin, p.key)
	})
	return handedBack(list, failed)
}

// arrivals returns the deliveries in records, in their order.
func arrivals(records []stream.Record) []pendingDelivery {
	var list []pendingDelivery
	for _, record := range records {
		if key, repository, ok := delivery.Wakes(record); ok {
			list = append(list, pendingDelivery{key: key, repository: repository, record: record})
		}
	}
	return list
}

// handedBack returns the function's response. If deliveries have failed, the
// response names the record of the first one, and its error is returned.
func handedBack(list []pendingDelivery, failed []error) (events.DynamoDBEventResponse, error) {
	for i, err := range failed {
		if err != nil {
			return stream.Failures(list[i].record), err
		}
	}
	return stream.Failures(), nil
}

// sweep processes the deliveries that are due: parked ones at or after their next
// try, those that the stream has lost, and those whose worker died without another
// one being woken. If one cannot be listed or ended, it continues with the others.
// Then it counts the stuck deliveries and those that wait for their next try.
func (w *worker) sweep(ctx context.Context, run *tally) error {
	keys, unlisted := w.deliveries.Due(ctx, w.now(), maxDue)
	run.Due = len(keys)
	list := make([]pendingDelivery, len(keys))
	for i, key := range keys {
		list[i].key = key // no repository: those of one installation run one after the other
	}
	failures := make(chan error, len(list)+3)
	failures <- unlisted
	queue.InOrder(ctx, list, maxParallel, pendingDelivery.part, func(p pendingDelivery) error {
		failures <- w.process(ctx, run, w.deliveries.BeginDue, p.key)
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
