package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/opsplane/opsplane/shared/delivery"
	"github.com/opsplane/opsplane/shared/telemetry"
)

type worker struct {
	deliveries delivery.Store
	facts      facts
	log        *slog.Logger
	now        func() time.Time
}

// answerTime is what an invocation leaves of its time, so that what it has not
// begun is handed back, and not cut off.
const answerTime = 5 * time.Second

// Bounds of a scheduled run.
const (
	maxDue   = 100  // deliveries tried
	maxStuck = 1000 // deliveries counted
)

// handle processes the deliveries of a stream event, in its order, or, woken by
// the schedule, those that are due again. A delivery that fails is parked and
// holds up nobody; what could not even be parked is handed back to the stream.
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
		err := w.retry(ctx, run)
		w.report(ctx, run, err)
		return run, err
	}
	answer, err := w.stream(ctx, run, stream.Records)
	w.report(ctx, run, err)
	return answer, nil
}

// stream processes records until one cannot be ended: Lambda then goes on from
// that one.
func (w *worker) stream(ctx context.Context, run *tally, records []events.DynamoDBEventRecord) (events.DynamoDBEventResponse, error) {
	for _, record := range records {
		key, ok := waiting(record)
		if !ok {
			continue
		}
		if err := w.process(ctx, run, key); err != nil {
			return events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{
				{ItemIdentifier: record.Change.SequenceNumber},
			}}, err
		}
	}
	return events.DynamoDBEventResponse{}, nil
}

// waiting reports whether a change of the table is a delivery that has come, or
// is to be processed again. The worker's own changes are neither.
func waiting(record events.DynamoDBEventRecord) (delivery.Key, bool) {
	text := func(image map[string]events.DynamoDBAttributeValue, name string) string {
		if v, ok := image[name]; ok && (v.DataType() == events.DataTypeString || v.DataType() == events.DataTypeNumber) {
			return v.String()
		}
		return ""
	}
	now, before := record.Change.NewImage, record.Change.OldImage
	if text(now, "state") != string(delivery.Received) {
		return delivery.Key{}, false
	}
	if text(before, "state") == string(delivery.Received) && text(before, "redelivered") == text(now, "redelivered") {
		return delivery.Key{}, false
	}
	return delivery.Key{Lane: text(record.Change.Keys, "pk"), Place: text(record.Change.Keys, "sk")}, true
}

// retry processes what is due again, and counts what nobody tries any more.
func (w *worker) retry(ctx context.Context, run *tally) error {
	due, err := w.deliveries.Due(ctx, w.now(), maxDue)
	if err != nil {
		return err
	}
	for _, key := range due {
		if err := w.process(ctx, run, key); err != nil {
			return err
		}
	}
	stuck, err := w.deliveries.Stuck(ctx, maxStuck)
	run.Stuck = len(stuck)
	return err
}

// tally is what one invocation has done.
type tally struct {
	// Done, Ignored and Parked count deliveries by what became of them.
	Done    int `json:"done"`
	Ignored int `json:"ignored"`
	Parked  int `json:"parked"`
	// Stuck is how many wait for an operator; counted by scheduled runs alone.
	Stuck int `json:"stuck"`
	// Lag is the longest time from a delivery's arrival to its end.
	Lag time.Duration `json:"-"`
}

var metrics = []telemetry.Metric{
	{Name: "done", Unit: "Count"},
	{Name: "ignored", Unit: "Count"},
	{Name: "parked", Unit: "Count"},
	{Name: "stuck", Unit: "Count"},
	{Name: "lag_ms", Unit: "Milliseconds"},
}

// report writes the one line of an invocation.
func (w *worker) report(ctx context.Context, run *tally, err error) {
	attrs := []slog.Attr{
		slog.Int("done", run.Done), slog.Int("ignored", run.Ignored), slog.Int("parked", run.Parked), slog.Int("stuck", run.Stuck),
		slog.Int64("lag_ms", run.Lag.Milliseconds()), slog.String("request_id", request(ctx)), telemetry.Metrics(w.now(), metrics...),
	}
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	w.log.LogAttrs(ctx, level, "process", attrs...)
}

// request is the id of the invocation.
func request(ctx context.Context) string {
	if invocation, ok := lambdacontext.FromContext(ctx); ok {
		return invocation.AwsRequestID
	}
	return ""
}
