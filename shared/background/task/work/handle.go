package work

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/telemetry"
)

// Worker works at the tasks of one queue.
type Worker struct {
	// Tasks is where they lie.
	Tasks task.Store
	// Queue is whose tasks it takes up.
	Queue task.Queue
	// Steps are what is done for each kind of the queue.
	Steps map[task.Kind]Step
	// Slice is how long a task is worked at before it is given back, so that others
	// have their turn; well below task.Lease.
	Slice time.Duration
	// Explain says to a task's owner why a step failed, and whether trying again
	// would be in vain.
	Explain func(run *task.Run, problem error) (words string, forGood bool)
	// Remark is what the owner of a task that is done should know; empty if that is
	// nothing. Nil stands for none.
	Remark func(*task.Run) string
	// Log takes a line for each invocation that did something, and for what failed.
	Log *slog.Logger
	// Now is the clock.
	Now func() time.Time
}

const (
	// AnswerTime is what an invocation leaves of its time, so that it can give
	// its task back.
	AnswerTime = 10 * time.Second
	// maxDue is how many tasks a scheduled run takes up.
	maxDue = 100
)

// Handle works at the tasks of a stream event, or, woken by the schedule, at
// those that are due.
func (w *Worker) Handle(ctx context.Context, event json.RawMessage) (any, error) {
	var stream events.DynamoDBEvent
	if err := json.Unmarshal(event, &stream); err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-AnswerTime))
		defer cancel()
	}
	run := &tally{}
	if len(stream.Records) > 0 {
		answer, err := w.stream(ctx, run, stream.Records)
		w.report(ctx, run, err)
		return answer, nil
	}
	ids, err := w.Tasks.Due(ctx, w.Queue, w.Now(), maxDue)
	for i := 0; i < len(ids) && ctx.Err() == nil; i++ {
		err = errors.Join(err, w.process(ctx, run, ids[i])) // its neighbours can do nothing for it
	}
	w.report(ctx, run, err)
	return run, err
}

// stream works at the tasks of records, and hands back those that could not be
// taken up or given back. Lambda goes on from the first of them: those behind it
// are not due then.
func (w *Worker) stream(ctx context.Context, run *tally, records []events.DynamoDBEventRecord) (answer events.DynamoDBEventResponse, problem error) {
	for _, record := range records {
		id, ok := w.waiting(record)
		if !ok {
			continue
		}
		if err := w.process(ctx, run, id); err != nil {
			problem = errors.Join(problem, err)
			answer.BatchItemFailures = append(answer.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: record.Change.SequenceNumber})
		}
	}
	return answer, problem
}

// waiting reports whether a change of the table is a task of the queue that nobody
// works at and whose time has come.
func (w *Worker) waiting(record events.DynamoDBEventRecord) (id string, ok bool) {
	now := record.Change.NewImage
	id, ok = strings.CutPrefix(record.Change.Keys["pk"].String(), "TASK#")
	wake, waits := now["wake"]
	if _, held := now["lease"]; !ok || held || !waits || wake.DataType() != events.DataTypeNumber {
		return "", false
	}
	if kind, known := now["kind"]; known && kind.DataType() == events.DataTypeString && task.Kind(kind.String()).Queue() != w.Queue {
		return "", false
	}
	at, err := wake.Integer()
	return id, err == nil && !time.UnixMilli(at).After(w.Now())
}

// tally is what one invocation has done.
type tally struct {
	// Completed, Failed and Waiting count tasks by what became of them; of those
	// that failed, Unreadable ones were never tried.
	Completed  int `json:"completed"`
	Failed     int `json:"failed"`
	Waiting    int `json:"waiting"`
	Unreadable int `json:"unreadable"`
}

var metrics = []telemetry.Metric{
	{Name: "completed", Unit: "Count"},
	{Name: "failed", Unit: "Count"},
	{Name: "waiting", Unit: "Count"},
	{Name: "unreadable", Unit: "Count"},
}

// report writes the one line of an invocation that did anything.
func (w *Worker) report(ctx context.Context, run *tally, err error) {
	if err == nil && *run == (tally{}) {
		return
	}
	attrs := []slog.Attr{
		slog.Int("completed", run.Completed), slog.Int("failed", run.Failed), slog.Int("waiting", run.Waiting),
		slog.Int("unreadable", run.Unreadable), slog.String("request_id", telemetry.Invocation(ctx)), telemetry.Metrics(w.Now(), metrics...),
	}
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	w.Log.LogAttrs(ctx, level, "tasks", attrs...)
}
