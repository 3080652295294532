package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/background/stream"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs"
)

// evaluations evaluate lanes. evaluator.Evaluator has the method.
type evaluations interface {
	// Lane evaluates what is asked for in a lane, and makes the effects. It ends early,
	// without an error, if the context's deadline is near.
	Lane(context.Context, *lane.Held) error
}

type orchestrator struct {
	lanes lane.Store
	// begin returns the evaluations of one invocation, by its id.
	begin func(request string) evaluations
	log   *slog.Logger
	now   func() time.Time
}

const (
	// reserve is the time that an invocation keeps back, so that it can give lanes back and
	// write its log line.
	reserve = 5 * time.Second
	// laneTime is the time that must be left for another lane to be entered: an evaluation
	// asks the host several times.
	laneTime = 20 * time.Second
	// maxParallel is how many lanes are worked at at the same time. Each may hold the paths
	// of a large repository in memory.
	maxParallel = 4
	// maxDue is how many lanes, and how many checks for drift, that are due an invocation of
	// the schedule looks at.
	maxDue = 100
	// maxRounds is how often a lane is entered again because of requests that came while it
	// was left. The schedule goes on.
	maxRounds = 10
)

// tally counts what an invocation did.
type tally struct{ entered, taken, failed atomic.Int64 }

func (t *tally) counts() []frame.Count {
	return []frame.Count{
		{Name: "lanes", Value: t.entered.Load()},
		{Name: "taken", Value: t.taken.Load()},
		{Name: "failed", Unit: frame.Things, Value: t.failed.Load()},
	}
}

// done is what an invocation of the schedule returns.
type done struct {
	Lanes  int64 `json:"lanes"`
	Taken  int64 `json:"taken"`
	Failed int64 `json:"failed"`
}

// handle evaluates the lanes of the records of a stream event. For an event of the
// schedule, it evaluates those that have something due.
func (o *orchestrator) handle(ctx context.Context, event json.RawMessage) (any, error) {
	records, err := stream.Records(event)
	if err != nil {
		return nil, err
	}
	ctx, cancel := frame.KeepBack(ctx, reserve)
	defer cancel()
	request := cmp.Or(telemetry.Invocation(ctx), uuid.NewString())
	own := visit{o, o.begin(request), &tally{}}
	if len(records) == 0 {
		err := errors.Join(own.checks(ctx), own.due(ctx))
		o.report(ctx, own.tally, request, err)
		return done{own.entered.Load(), own.taken.Load(), own.failed.Load()}, err
	}
	failed, err := own.stream(ctx, records)
	o.report(ctx, own.tally, request, err)
	return stream.Failures(failed...), nil
}

func (o *orchestrator) report(ctx context.Context, t *tally, request string, err error) {
	frame.Line{Message: "evaluation", Request: request, Quiet: true, Counts: t.counts()}.Write(ctx, o.log, o.now(), err)
}

// visit is the work of one invocation.
type visit struct {
	*orchestrator
	evaluations evaluations
	*tally
}

// stream evaluates the lanes of records. It returns the first record of each lane whose
// evaluation has failed. Repeating the others does no harm.
func (v visit) stream(ctx context.Context, records []stream.Record) (failed []stream.Record, problem error) {
	var list []vcs.Repository
	first := map[vcs.Repository]stream.Record{}
	for _, record := range records {
		of, ok := lane.Wakes(record)
		if _, known := first[of]; !ok || known {
			continue
		}
		first[of] = record
		list = append(list, of)
	}
	failures := each(list, func(of vcs.Repository) error { return v.lane(ctx, of) })
	for i, err := range failures {
		if err != nil {
			failed = append(failed, first[list[i]])
		}
	}
	return failed, errors.Join(failures...)
}

// checks asks for the checks for drift that are due. The stream wakes their evaluation.
func (v visit) checks(ctx context.Context) error {
	list, problem := v.lanes.Checks(ctx, v.now(), maxDue)
	return errors.Join(append(each(list, func(c lane.Check) error { return v.lanes.AskCheck(ctx, c, v.now()) }), problem)...)
}

// due evaluates the lanes that have something due. What is still there afterwards becomes
// due later. An evaluation that fails is no error of the invocation: the log says so.
func (v visit) due(ctx context.Context) error {
	list, problem := v.lanes.Due(ctx, v.now(), maxDue)
	return errors.Join(append(each(list, func(d lane.Due) error {
		if !enough(ctx) {
			return nil
		}
		failed := v.lane(ctx, d.Repository)
		if failed != nil {
			v.log.LogAttrs(ctx, slog.LevelError, "an evaluation failed", slog.String("repository", d.Repository.String()), slog.String("error", failed.Error()))
		}
		return v.lanes.Settle(ctx, d, failed != nil, v.now())
	}), problem)...)
}

// lane evaluates a lane until nothing is asked any more. It is no error if another worker
// has the lane, or if the lane rests: that worker looks at the lane again when it leaves,
// and the schedule finds what is left.
func (v visit) lane(ctx context.Context, of vcs.Repository) (err error) {
	defer func() {
		if err != nil {
			v.failed.Add(1)
		}
	}()
	for range maxRounds {
		again, err := v.once(ctx, of)
		if err != nil || !again || !enough(ctx) {
			return err
		}
	}
	return nil
}

// once evaluates a lane and leaves it. It reports whether there is more to evaluate.
func (v visit) once(ctx context.Context, of vcs.Repository) (again bool, err error) {
	held, ok, err := v.lanes.Enter(ctx, of, v.now())
	if err != nil || !ok {
		if err == nil {
			v.taken.Add(1)
		}
		return false, err
	}
	v.entered.Add(1)
	failed := v.evaluate(ctx, held)
	// A lane that is not left is taken until its lease is over.
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), reserve/2)
	defer cancel()
	again, err = held.Leave(leaving)
	return again && failed == nil, errors.Join(failed, err)
}

func (v visit) evaluate(ctx context.Context, held *lane.Held) (err error) {
	defer frame.Guard(&err)
	return v.evaluations.Lane(ctx, held)
}

// enough reports whether there is time to enter another lane.
func enough(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(end) > laneTime)
}

// each does the work of a list, some at a time, and returns the error of each.
func each[T any](list []T, do func(T) error) []error {
	failures := make([]error, len(list))
	places := make(chan struct{}, maxParallel)
	var all sync.WaitGroup
	for i, work := range list {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			failures[i] = do(work)
		})
	}
	all.Wait()
	return failures
}
