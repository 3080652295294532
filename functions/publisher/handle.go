package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/background/stream"
	"github.com/opsplane/opsplane/shared/event"
	"github.com/opsplane/opsplane/shared/event/bus"
	"github.com/opsplane/opsplane/shared/event/parked"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

type publisher struct {
	bus    bus.Bus
	runs   runstore.Store
	parked parked.Store
	log    *slog.Logger
	now    func() time.Time
}

// reserve is the time that an invocation keeps back, so that it can park what it has not
// sent and write its log line.
const reserve = 10 * time.Second

// done is what an invocation of the schedule returns.
type done struct {
	Sent   int `json:"sent"`
	Parked int `json:"parked"`
	Stuck  int `json:"stuck"`
}

// handle sends the events of the records of a stream event. For an event of the
// schedule, it sends again what is parked and due.
func (p *publisher) handle(ctx context.Context, event json.RawMessage) (any, error) {
	records, err := stream.Records(event)
	if err != nil {
		return nil, err
	}
	sending, cancel := frame.KeepBack(ctx, reserve)
	defer cancel()
	t := &tally{}
	if len(records) == 0 {
		err := p.sweep(ctx, sending, t)
		p.report(ctx, t, err)
		return done{t.sent, t.parked, t.stuck}, err
	}
	failed, err := p.stream(ctx, sending, t, records)
	p.report(ctx, t, err)
	return stream.Failures(failed...), nil
}

// stream sends the events of records, and parks the records of which the bus has not
// taken all events. So one record that the bus refuses does not hold up the others. It
// returns the records that could not be parked: the stream then delivers the batch again
// from the first of them, and some events are sent twice.
func (p *publisher) stream(ctx, sending context.Context, t *tally, records []stream.Record) (failed []stream.Record, problem error) {
	var works []*work
	var from []stream.Record
	for _, record := range records {
		r, ok, err := added(record)
		if err != nil {
			// A repetition would not help. The archive and the trail have the record.
			p.log.LogAttrs(ctx, slog.LevelError, "a record cannot be read", slog.String("sequence_number", record.Sequence), slog.String("error", err.Error()))
			t.unreadable++
		}
		if !ok {
			continue
		}
		t.lag = max(t.lag, p.now().Sub(record.At))
		works, from = append(works, &work{record: r}), append(from, record)
	}
	p.send(sending, t, works)
	for i, w := range works {
		if w.problem == nil {
			continue
		}
		now := p.now()
		due := now.Add(firstPause)
		if w.unsent() { // it had no time
			due = now
		}
		if err := p.parked.Park(ctx, parked.Parked{Record: w.record, Next: w.next, Problem: w.problem.Error(), At: now, Due: due}); err != nil {
			failed, problem = append(failed, from[i]), errors.Join(problem, err)
			continue
		}
		t.parked++
	}
	return failed, problem
}

// firstPause is the time until the bus is asked again, after the tries of an invocation.
const firstPause = time.Minute

// added decodes the record of a change that added it to the trail. Other changes have no
// event: they are the work of somebody with AWS credentials, and the archivist raises an
// alarm.
func added(change stream.Record) (r audit.Record, ok bool, err error) {
	if change.New == nil || change.Old != nil {
		return audit.Record{}, false, nil
	}
	read := attr.Read(change.New)
	text := read.String("record")
	if err := read.Err(); err != nil {
		return audit.Record{}, false, err
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return audit.Record{}, false, err
	}
	_, ok = event.FromRecord(r)
	return r, ok, nil
}

// work is a record whose events are to be sent.
type work struct {
	record audit.Record
	// next is the position of the first event that is to be sent, and afterwards that
	// of the first event that the bus has not taken.
	next int
	// problem says why the bus has not taken it. It is nil if all events are sent.
	problem error
}

// unsent reports whether time was all that the work lacked.
func (w *work) unsent() bool {
	return errors.Is(w.problem, context.DeadlineExceeded) || errors.Is(w.problem, context.Canceled)
}

// maxGathered is how many events are enough to be sent together. A batch may have a
// hundred records of runs with 5,000 dirspaces each. An invocation holds fewer than
// maxGathered events, and those of one record besides.
const maxGathered = 1000

// send sends the events of several records together, so that requests are full.
func (p *publisher) send(ctx context.Context, t *tally, works []*work) {
	var g gathered
	for _, w := range works {
		var events []event.Event
		if events, w.problem = p.events(ctx, w.record); w.problem == nil {
			g.add(w, events[min(w.next, len(events)):])
		}
		if len(g.events) >= maxGathered {
			t.sent += g.send(ctx, p.bus)
			g = gathered{}
		}
	}
	t.sent += g.send(ctx, p.bus)
}

// gathered are events that are to be sent together, with their works.
type gathered struct {
	events []event.Event
	works  []*work
	// ends has the end of the events of each work.
	ends []int
}

func (g *gathered) add(w *work, events []event.Event) {
	g.events = append(g.events, events...)
	g.works, g.ends = append(g.works, w), append(g.ends, len(g.events))
}

// send sends the events, and records in each work what became of it. It returns how many
// the bus has taken.
func (g *gathered) send(ctx context.Context, to bus.Bus) (sent int) {
	failures := to.Send(ctx, g.events)
	begin := 0
	for i, w := range g.works {
		for position, err := range failures[begin:g.ends[i]] {
			if err == nil {
				sent++
			} else if w.problem == nil {
				w.next, w.problem = w.next+position, err
			}
		}
		begin = g.ends[i]
	}
	return sent
}

// events returns all events of a record: first its own, then those of the dirspaces of a
// completed run. If the run was removed meanwhile, nobody can say what became of its
// dirspaces, and the record has its own event alone.
func (p *publisher) events(ctx context.Context, r audit.Record) ([]event.Event, error) {
	own, ok := event.FromRecord(r)
	if !ok {
		return nil, nil
	}
	events := []event.Event{own}
	id, ok := event.HasDirspaces(r)
	if !ok {
		return events, nil
	}
	found, err := p.run(ctx, id)
	if err != nil {
		return nil, err
	}
	return append(events, event.Dirspaces(r, found)...), nil
}

// run reads a run with its dirspaces. It returns the zero run for one that is gone.
func (p *publisher) run(ctx context.Context, id run.ID) (run.Run, error) {
	found, err := p.runs.Get(ctx, id)
	if errors.Is(err, fault.ErrNotFound) {
		return run.Run{}, nil
	}
	return found, err
}

// tally counts what an invocation did.
type tally struct {
	sent, parked, stuck, unreadable int
	lag                             time.Duration
}

func (p *publisher) report(ctx context.Context, t *tally, err error) {
	frame.Line{Message: "publish", Quiet: true, Counts: []frame.Count{
		{Name: "sent", Unit: frame.Things, Value: int64(t.sent)},
		{Name: "parked", Unit: frame.Things, Value: int64(t.parked)},
		{Name: "stuck", Unit: frame.Things, Value: int64(t.stuck)},
		{Name: "unreadable", Unit: frame.Things, Value: int64(t.unreadable)},
		{Name: "lag_ms", Unit: frame.Milliseconds, Value: t.lag.Milliseconds()},
	}}.Write(ctx, p.log, p.now(), err)
}
