package simulation

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

// delivery is what the worker makes of a webhook: a request, or the end of a CI job.
type delivery struct {
	of              vcs.Repository
	request         *lane.Request
	job, conclusion string
	copies          int
}

// deliver processes a delivery, which need not be the oldest one. It may come again.
func (w *world) deliver() bool {
	w.mu.Lock()
	if len(w.inFlight) == 0 {
		w.mu.Unlock()
		return false
	}
	i := 0
	if w.draw.IntN(3) == 0 {
		i = w.draw.IntN(len(w.inFlight))
	}
	d := w.inFlight[i]
	w.inFlight = slices.Delete(w.inFlight, i, i+1)
	if d.copies < 2 && w.draw.IntN(10) == 0 && !w.calm {
		d.copies++
		w.inFlight = append(w.inFlight, d)
	}
	w.mu.Unlock()
	if d.request == nil {
		w.jobEnded(d)
		return true
	}
	w.note("delivery: %s of %s", d.request.Name(), d.of)
	w.must(w.safe.Lanes.Ask(w.t.Context(), *d.request, w.clock.Now()))
	r := w.of(d.of.ID)
	if p, err := w.host.Pull(r.name, d.request.Number); err == nil && d.request.Kind == lane.Pull && p.State == "merged" {
		r.book.told[d.request.Number] = true
	}
	w.wake(r)
	return true
}

// wake lets the stream wake the evaluator, and then the dispatcher. Sometimes they are late.
func (w *world) wake(r *repository) {
	if w.draw.IntN(5) == 0 {
		return
	}
	w.visit(r)
	if w.draw.IntN(5) > 0 {
		w.must(w.dispatcher().Repository(w.t.Context(), r.Repository))
	}
}

// jobEnded ends the run of a CI job that has failed.
func (w *world) jobEnded(d delivery) {
	r, err := w.safe.Runs.ByCIRun(w.t.Context(), d.of, d.job)
	if err != nil || r.State.Ended() {
		return
	}
	w.touched[w.of(d.of.ID)] = true
	w.note("delivery: job %s of run %s ended: %s", d.job, short(r.ID), d.conclusion)
	_, _, err = w.safe.Runs.Abort(w.t.Context(), r.ID, runstore.Abortion{Reason: run.ReasonOfJob(d.conclusion, ""), Version: r.Version}, w.author("server:worker"))
	w.must(err)
}

// short returns a part of a run's id that is enough to read a story.
func short(id run.ID) string { return string(id)[:8] }

func (w *world) visitSome() bool {
	w.visit(w.some())
	return true
}

// visit lets an evaluator evaluate a lane. It may die at any of its requests, and others may
// act between two of them.
func (w *world) visit(r *repository) {
	defer func() { w.touched[r], w.visited[r] = true, true }()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	f := &fate{world: w, kill: cancel, nth: -1}
	e := w.safe
	if !w.calm && w.depth <= 1 {
		if w.draw.IntN(4) == 0 {
			f.nth = 1 + w.draw.IntN(70)
			f.atComment = w.draw.IntN(3) == 0
		}
		if w.draw.IntN(4) == 0 {
			f.between = 1 + w.draw.IntN(50)
		}
		e = w.over(w.env.WithFaults(&storagetest.Faults{Choose: f.storage}))
		w.host.Choose(f.host)
	}
	clean := enter(ctx, e, r.Repository)
	w.host.Choose(nil)
	if f.dead {
		w.count.Deaths++
		w.note("the evaluator of %s died at its request %d", r.name, f.nth)
	}
	if clean {
		r.book.settle(w.tick)
	}
}

// enter evaluates a lane until nothing is left. It reports whether all of it went well.
func enter(ctx context.Context, e *evaluator.Evaluator, of vcs.Repository) bool {
	for again := true; again; {
		held, ok, err := e.Lanes.Enter(ctx, of, e.Now())
		if err != nil || !ok || e.Lane(ctx, held) != nil {
			return false
		}
		if again, err = held.Leave(ctx); err != nil {
			return false
		}
	}
	return true
}

// fate is what happens to an evaluator. At its request nth to the storage and to the host it
// dies: that request takes effect, and its response is lost. Before its request between,
// others act.
type fate struct {
	world        *world
	kill         context.CancelFunc
	nth, between int
	// atComment lets it die when it writes a comment: of all requests, this one may least be
	// repeated.
	atComment bool
	dead      bool

	mu    sync.Mutex
	calls int
}

// next returns what happens at the next request.
func (f *fate) next() (last, dead bool, before func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.nth > 0 && f.calls > f.nth {
		f.dead = true
		f.kill()
	}
	if f.calls == f.between {
		before = f.meanwhile
	}
	return f.calls == f.nth, f.dead, before
}

func (f *fate) storage(string) storagetest.Fault {
	last, dead, before := f.next()
	switch {
	case dead:
		return storagetest.Fault{Kind: storagetest.Refuse}
	case last:
		return storagetest.Fault{Kind: storagetest.LoseAnswer, Before: before}
	}
	return storagetest.Fault{Before: before}
}

func (f *fate) host(line string) *vcstest.Failure {
	last, dead, before := f.next()
	if f.atComment && !dead && strings.HasPrefix(line, "POST ") && strings.HasSuffix(line, "/comments") {
		last = true
	}
	if before != nil {
		// No request to a host lasts as long as the lease.
		f.world.frozen = true
		before()
		f.world.frozen = false
	}
	if last || dead {
		f.dead = true
		f.kill()
		return &vcstest.Failure{Late: last}
	}
	return nil
}

// meanwhile lets others act between two requests of an evaluator. Some of them last longer
// than its lease.
func (f *fate) meanwhile() {
	w := f.world
	w.host.Choose(nil)
	defer w.host.Choose(f.host)
	w.count.Nested++
	w.note("meanwhile:")
	if w.draw.IntN(3) == 0 {
		w.pass(lane.Lease + time.Second)
	}
	for range 1 + w.draw.IntN(6) {
		w.step()
	}
	w.note("the evaluator goes on")
}

// start lets the dispatcher start what waits.
func (w *world) start() bool {
	r := w.some()
	w.touched[r] = true
	w.must(w.dispatcher().Repository(w.t.Context(), r.Repository))
	w.ends(0)
	return true
}

// ends does what follows the ends of runs, as the stream shows them to the dispatcher. Some
// are left to the schedule.
func (w *world) ends(leave int) {
	ctx := w.t.Context()
	list, err := w.safe.Runs.Due(ctx, runstore.EndedList, w.clock.Now().Add(time.Hour), 100)
	w.must(err)
	for _, entry := range list {
		if leave > 0 && w.draw.IntN(leave) == 0 {
			continue
		}
		r, stale, err := w.safe.Runs.Stale(ctx, entry)
		w.must(err)
		if !stale {
			w.touched[w.of(r.Repository.ID)] = true
			w.must(w.dispatcher().Ended(ctx, r, entry))
		}
	}
}

// sweep does what the schedules do.
func (w *world) sweep() bool {
	ctx := w.t.Context()
	w.must(w.dispatcher().Sweep(ctx))
	for _, r := range w.repositories {
		w.touched[r] = true
	}
	list, err := w.safe.Lanes.Due(ctx, w.clock.Now(), 10)
	w.must(err)
	for _, d := range list {
		w.visit(w.of(d.Repository.ID))
		w.must(w.safe.Lanes.Settle(ctx, d, false, w.clock.Now()))
	}
	return true
}
