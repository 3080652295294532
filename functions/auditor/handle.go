package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/background/frame"
)

type auditor struct {
	trail   audit.Store
	sources map[string]audit.Source // by the physical name of the table
	log     *slog.Logger
	now     func() time.Time
}

// maxParallelWrites is how many records are written at the same time. Their order
// does not matter, because the change decides a record's place.
const maxParallelWrites = 16

// handle writes the records of a batch of changes. If some could not be written,
// Lambda delivers the batch again from the first of these changes. Records of later
// changes may be written already. They are not written twice.
func (a *auditor) handle(ctx context.Context, event events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	run := &tally{}
	failures := make([]error, len(event.Records))
	var group errgroup.Group
	group.SetLimit(maxParallelWrites)
	for i, change := range event.Records {
		run.Lag = max(run.Lag, a.now().Sub(change.Change.ApproximateCreationDateTime.Time))
		group.Go(func() error {
			failures[i] = a.write(ctx, run, change)
			return nil
		})
	}
	_ = group.Wait() // failures has the errors
	var answer events.DynamoDBEventResponse
	first := slices.IndexFunc(failures, func(err error) bool { return err != nil })
	if first >= 0 {
		run.Failed.Add(1)
		answer.BatchItemFailures = []events.DynamoDBBatchItemFailure{{ItemIdentifier: event.Records[first].Change.SequenceNumber}}
	}
	a.report(ctx, run, errors.Join(failures...))
	return answer, nil
}

// write adds the record of a change, if it is a change that is recorded. If it
// returns an error, the stream must deliver the change again.
func (a *auditor) write(ctx context.Context, run *tally, change events.DynamoDBEventRecord) error {
	// arn:aws:dynamodb:<region>:<account>:table/<name>/stream/<label>
	_, rest, _ := strings.Cut(change.EventSourceArn, ":table/")
	name, _, _ := strings.Cut(rest, "/")
	source, known := a.sources[name]
	if !known { // the stack is configured wrongly: no change may be skipped
		return fmt.Errorf("%s is no stream of a table whose changes are recorded", change.EventSourceArn)
	}
	r, ok, err := read(source, change)
	if err == nil && !ok {
		return nil
	}
	if err == nil {
		err = a.put(ctx, run, r)
	}
	if err == nil || !errors.Is(err, audit.ErrRefused) {
		return err
	}
	// Without this, the change would stop all changes behind it for a day, and
	// would then be lost anyway.
	run.Unreadable.Add(1)
	a.log.LogAttrs(ctx, slog.LevelError, "change that no record can be made of", slog.String("table", string(source.Table)),
		slog.String("sequence_number", change.Change.SequenceNumber), slog.String("error", err.Error()))
	return a.put(ctx, run, source.Unreadable(change))
}

func (a *auditor) put(ctx context.Context, run *tally, r audit.Record) error {
	fresh, err := a.trail.Put(ctx, r)
	if fresh {
		run.Written.Add(1)
	}
	return err
}

// read makes the record of a change. If an image has an unexpected form, read
// returns an error and the process does not end.
func read(source audit.Source, change events.DynamoDBEventRecord) (r audit.Record, ok bool, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w: %w", audit.ErrRefused, err)
		}
	}()
	defer frame.Guard(&err)
	r, ok = source.Record(change)
	return r, ok, nil
}

// tally counts what one invocation has done.
type tally struct {
	// Written counts new records. Unreadable counts changes whose record says only
	// that they were made.
	Written, Unreadable atomic.Int64
	// Failed counts batches that must be delivered again.
	Failed atomic.Int64
	// Lag is the longest time from a change to its arrival here. Streams report
	// times in whole seconds.
	Lag time.Duration
}

// report writes the log line of an invocation, if the invocation did anything.
func (a *auditor) report(ctx context.Context, run *tally, err error) {
	frame.Line{Message: "audit", Quiet: true, Counts: []frame.Count{
		{Name: "written", Unit: frame.Things, Value: run.Written.Load()},
		{Name: "unreadable", Unit: frame.Things, Value: run.Unreadable.Load()},
		{Name: "failed", Unit: frame.Things, Value: run.Failed.Load()},
		{Name: "lag_ms", Unit: frame.Milliseconds, Value: run.Lag.Milliseconds()},
	}}.Write(ctx, a.log, a.now(), err)
}
