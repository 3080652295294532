package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/background/delivery"
)

type worker struct {
	deliveries delivery.Store
	facts      facts
	log        *slog.Logger
	now        func() time.Time
	// share bounds the time of one try.
	share time.Duration
}

// answerTime is what an invocation leaves of its time, so that what it has not
// begun is handed back, and not cut off.
const answerTime = 5 * time.Second

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
	var stream events.DynamoDBEvent
	if err := json.Unmarshal(event, &stream); err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-answerTime))
		defer cancel()
	}
	run := &tally{}
	if len(stream.Records) == 0 {
		err := w.sweep(ctx, run)
		w.report(ctx, run, err)
		return run, err
	}
	answer, err := w.stream(ctx, run, stream.Records)
	w.report(ctx, run, err)
	return answer, nil
}

// stream processes the deliveries that records tell of. Of those that could not
// be ended it names the first: Lambda then goes on from that one, and what was
// ended behind it is over by then.
func (w *worker) stream(ctx context.Context, run *tally, records []events.DynamoDBEventRecord) (events.DynamoDBEventResponse, error) {
	var list []errand
	for _, record := range records {
		if e, ok := tells(record); ok {
			list = append(list, e)
		}
	}
	failed := inOrder(ctx, list, func(e errand) error {
		return w.process(ctx, run, w.deliveries.Begin, e.key)
	})
	var answer events.DynamoDBEventResponse
	first, err := handedBack(list, failed)
	if err != nil {
		answer.BatchItemFailures = []events.DynamoDBBatchItemFailure{{ItemIdentifier: first}}
	}
	return answer, err
}

// handedBack answers the sequence number of the first errand that has failed, and
// why.
func handedBack(list []errand, failed []error) (string, error) {
	for i, err := range failed {
		if err != nil {
			return list[i].sequence, err
		}
	}
	return "", nil
}

// tells reads which delivery a change of the table tells of: one that has come,
// or is to be processed again. The filter of the template lets others not get
// here; the worker's own changes are neither.
func tells(record events.DynamoDBEventRecord) (errand, bool) {
	text := func(image map[string]events.DynamoDBAttributeValue, name string) string {
		if v, ok := image[name]; ok && (v.DataType() == events.DataTypeString || v.DataType() == events.DataTypeNumber) {
			return v.String()
		}
		return ""
	}
	now, before := record.Change.NewImage, record.Change.OldImage
	if text(now, "state") != string(delivery.Received) {
		return errand{}, false
	}
	if text(before, "state") == string(delivery.Received) && text(before, "redelivered") == text(now, "redelivered") {
		return errand{}, false
	}
	return errand{
		key:        delivery.Key{Lane: text(record.Change.Keys, "pk"), Place: text(record.Change.Keys, "sk")},
		repository: text(now, "repository"), sequence: record.Change.SequenceNumber,
	}, true
}

// sweep processes what is due: parked deliveries whose next try has come, and
// those that the stream has lost, or whose worker died and was not woken again.
// It goes on where one cannot be ended. Then it counts what is stuck, and what waits for its next try.
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
