package work

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/background/stream"
	"github.com/opsplane/opsplane/shared/background/task"
)

// Worker works at the tasks of one queue.
type Worker struct {
	// Tasks is the store of the tasks.
	Tasks task.Store
	// Queue is the queue whose tasks the worker works at.
	Queue task.Queue
	// Steps has the step for each kind of the queue.
	Steps map[task.Kind]Step
	// Turn is how long a task is worked at before it is given back, so that other
	// tasks are worked at too. It must be well below task.Lease.
	Turn time.Duration
	// Explain says for a task's owner why a step failed, and whether trying again
	// would not help.
	Explain func(run *task.Run, problem error) (words string, forGood bool)
	// Remark returns what the owner of a completed task should know. It is empty if
	// there is nothing. A nil Remark means no remarks.
	Remark func(*task.Run) string
	// Log gets a line for each invocation that did something, and a line for each
	// failure.
	Log *slog.Logger
	// Now is the clock.
	Now func() time.Time
}

const (
	// Reserve is the time that an invocation keeps back, so that it can give its
	// task back.
	Reserve = 10 * time.Second
	// maxDue is the maximum number of tasks that a scheduled run works at.
	maxDue = 100
)

// Handle works at the tasks of a stream event. For an event of the schedule it
// works at the tasks that are due.
func (w *Worker) Handle(ctx context.Context, event json.RawMessage) (any, error) {
	records, err := stream.Records(event)
	if err != nil {
		return nil, err
	}
	ctx, cancel := frame.KeepBack(ctx, Reserve)
	defer cancel()
	run := &tally{}
	if len(records) > 0 {
		response, err := w.stream(ctx, run, records)
		w.report(ctx, run, err)
		return response, nil
	}
	ids, err := w.Tasks.Due(ctx, w.Queue, w.Now(), maxDue)
	for i := 0; i < len(ids) && ctx.Err() == nil; i++ {
		err = errors.Join(err, w.process(ctx, run, ids[i])) // continue with the others
	}
	w.report(ctx, run, err)
	return run, err
}

// stream works at the tasks of records. It returns the records whose tasks could
// not be begun or given back, so that Lambda continues from the first of them.
// Tasks after it that were worked at are not due then.
func (w *Worker) stream(ctx context.Context, run *tally, records []stream.Record) (response events.DynamoDBEventResponse, problem error) {
	var failed []stream.Record
	for _, record := range records {
		id, ok := task.Wakes(record, w.Queue, w.Now())
		if !ok {
			continue
		}
		if err := w.process(ctx, run, id); err != nil {
			problem = errors.Join(problem, err)
			failed = append(failed, record)
		}
	}
	return stream.Failures(failed...), problem
}

// tally counts what one invocation has done.
type tally struct {
	// Completed, Failed and Waiting count tasks by their outcome. Unreadable counts
	// the failed ones whose item could not be read, and which were never tried.
	Completed  int `json:"completed"`
	Failed     int `json:"failed"`
	Waiting    int `json:"waiting"`
	Unreadable int `json:"unreadable"`
}

// report writes the log line of an invocation that did something.
func (w *Worker) report(ctx context.Context, run *tally, err error) {
	frame.Line{Message: "tasks", Quiet: true, Counts: []frame.Count{
		{Name: "completed", Unit: frame.Things, Value: int64(run.Completed)},
		{Name: "failed", Unit: frame.Things, Value: int64(run.Failed)},
		{Name: "waiting", Unit: frame.Things, Value: int64(run.Waiting)},
		{Name: "unreadable", Unit: frame.Things, Value: int64(run.Unreadable)},
	}}.Write(ctx, w.Log, w.Now(), err)
}
