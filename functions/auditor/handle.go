package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/telemetry"
)

type auditor struct {
	trail  audit.Store
	tables map[string]audit.Table // by physical name
	log    *slog.Logger
	now    func() time.Time
}

// handle writes the records of a batch of changes, in its order, until one
// cannot be written: Lambda then goes on from that one. What was written before
// is there already when it is told again.
func (a *auditor) handle(ctx context.Context, event events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	run := &tally{}
	var answer events.DynamoDBEventResponse
	var err error
	for _, change := range event.Records {
		if err = a.write(ctx, run, change); err != nil {
			answer.BatchItemFailures = []events.DynamoDBBatchItemFailure{{ItemIdentifier: change.Change.SequenceNumber}}
			break
		}
	}
	a.report(ctx, run, err)
	return answer, nil
}

func (a *auditor) write(ctx context.Context, run *tally, change events.DynamoDBEventRecord) error {
	r, ok, err := a.read(change)
	if err != nil {
		// It would stop all changes behind it for a day, and then be lost all the same.
		run.Unreadable++
		a.log.LogAttrs(ctx, slog.LevelError, "change that no record can be made of", slog.String("event", change.EventID),
			slog.String("table", change.EventSourceArn), slog.String("error", err.Error()))
		return nil
	}
	if !ok {
		return nil
	}
	fresh, err := a.trail.Put(ctx, r)
	if err != nil {
		return err
	}
	if fresh {
		run.Written++
	}
	run.Lag = max(run.Lag, a.now().Sub(change.Change.ApproximateCreationDateTime.Time))
	return nil
}

// read makes the record of a change. An image of a form that nobody expects is
// an error, not the end of the process.
func (a *auditor) read(change events.DynamoDBEventRecord) (r audit.Record, ok bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	// arn:aws:dynamodb:<region>:<account>:table/<name>/stream/<label>
	_, rest, _ := strings.Cut(change.EventSourceArn, ":table/")
	name, _, _ := strings.Cut(rest, "/")
	table, known := a.tables[name]
	if !known {
		return audit.Record{}, false, fmt.Errorf("%s is no stream of a table of this stack", change.EventSourceArn)
	}
	r, ok = audit.Of(table, change)
	return r, ok, nil
}

// tally is what one invocation has done.
type tally struct {
	// Written counts new records, Unreadable changes of which none could be
	// made.
	Written, Unreadable int
	// Lag is the longest time from a change to its record. Streams tell times
	// in whole seconds.
	Lag time.Duration
}

var metrics = []telemetry.Metric{
	{Name: "written", Unit: "Count"},
	{Name: "unreadable", Unit: "Count"},
	{Name: "lag_ms", Unit: "Milliseconds"},
}

// report writes the one line of an invocation that did anything.
func (a *auditor) report(ctx context.Context, run *tally, err error) {
	if err == nil && *run == (tally{}) {
		return
	}
	id := ""
	if invocation, ok := lambdacontext.FromContext(ctx); ok {
		id = invocation.AwsRequestID
	}
	attrs := []slog.Attr{
		slog.Int("written", run.Written), slog.Int("unreadable", run.Unreadable), slog.Int64("lag_ms", run.Lag.Milliseconds()),
		slog.String("request_id", id), telemetry.Metrics(a.now(), metrics...),
	}
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	a.log.LogAttrs(ctx, level, "audit", attrs...)
}
