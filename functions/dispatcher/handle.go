package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/background/stream"
	"github.com/opsplane/opsplane/shared/run/dispatch"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs"
)

type dispatcher struct {
	// dispatch has no Request and no Tally yet: each invocation has its own.
	dispatch dispatch.Dispatcher
	log      *slog.Logger
	now      func() time.Time
}

const (
	// reserve is the time that an invocation keeps back, so that it can record the last
	// outcomes and write its log line.
	reserve = 5 * time.Second
	// maxParallel is how many repositories are worked at at the same time.
	maxParallel = 8
)

// done is what an invocation of the schedule returns.
type done struct {
	Started   int64 `json:"started"`
	Unknown   int64 `json:"unknown"`
	Waiting   int64 `json:"waiting"`
	Refused   int64 `json:"refused"`
	Ended     int64 `json:"ended"`
	Cancelled int64 `json:"cancelled"`
}

// handle works at the repositories of the records of a stream event. For an event of
// the schedule, it does what is due.
func (d *dispatcher) handle(ctx context.Context, event json.RawMessage) (any, error) {
	records, err := stream.Records(event)
	if err != nil {
		return nil, err
	}
	ctx, cancel := frame.KeepBack(ctx, reserve)
	defer cancel()
	own := d.dispatch.Begin(cmp.Or(telemetry.Invocation(ctx), uuid.NewString()))
	if len(records) == 0 {
		err := own.Sweep(ctx)
		d.report(ctx, own, err)
		t := own.Tally
		return done{t.Started.Load(), t.Unknown.Load(), t.Waiting.Load(), t.Refused.Load(), t.Ended.Load(), t.Cancelled.Load()}, err
	}
	failed, err := d.stream(ctx, own, records)
	d.report(ctx, own, err)
	return stream.Failures(failed...), nil
}

// work is what the records of one repository ask for.
type work struct {
	repository vcs.Repository
	first      stream.Record
	ended      []runstore.Wake
}

// stream works at the repositories of records, several at a time. It returns the first
// record of each repository that failed. Repeating the others does no harm.
func (d *dispatcher) stream(ctx context.Context, own dispatch.Dispatcher, records []stream.Record) (failed []stream.Record, problem error) {
	list := d.gather(ctx, records)
	failures := make([]error, len(list))
	places := make(chan struct{}, maxParallel)
	var all sync.WaitGroup
	for i, w := range list {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			failures[i] = one(ctx, own, w)
		})
	}
	all.Wait()
	for i, err := range failures {
		if err != nil {
			failed = append(failed, list[i].first)
		}
	}
	return failed, errors.Join(failures...)
}

// gather returns the work of records, in the order in which the repositories occur. A
// record that cannot be read is left out: it would stop all later ones.
func (d *dispatcher) gather(ctx context.Context, records []stream.Record) []*work {
	var list []*work
	at := map[vcs.Repository]*work{}
	for _, record := range records {
		wake, ok, err := runstore.Wakes(record)
		if err != nil {
			d.log.LogAttrs(ctx, slog.LevelError, "a run cannot be read", slog.String("error", err.Error()))
		}
		if !ok {
			continue
		}
		w := at[wake.Run.Repository]
		if w == nil {
			w = &work{repository: wake.Run.Repository, first: record}
			at[w.repository] = w
			list = append(list, w)
		}
		if wake.Run.State.Ended() {
			w.ended = append(w.ended, wake)
		}
	}
	return list
}

// one does the work of one repository: what waits is started first, because people wait
// for it.
func one(ctx context.Context, own dispatch.Dispatcher, w *work) (err error) {
	defer frame.Guard(&err)
	problems := []error{own.Repository(ctx, w.repository)}
	for _, wake := range w.ended {
		problems = append(problems, own.Ended(ctx, wake.Run, wake.Due))
	}
	return errors.Join(problems...)
}

func (d *dispatcher) report(ctx context.Context, own dispatch.Dispatcher, err error) {
	frame.Line{Message: "dispatch", Request: own.Request, Quiet: true, Counts: own.Tally.Counts()}.Write(ctx, d.log, d.now(), err)
}
