package dispatch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/death"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/dispatch"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// dies lets a dispatcher do something until it dies at its nth request. It reports
// whether it got so far.
func (w *world) dies(t *testing.T, nth int, do func(context.Context, dispatch.Dispatcher) error) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := &death.Death{Nth: nth, Kill: cancel}
	w.github.Choose(d.Host)
	_ = do(ctx, w.over(w.env.WithFaults(&storagetest.Faults{Choose: d.Storage})).OneByOne())
	w.github.Choose(func(string) *vcstest.Failure { return nil })
	return d.Came()
}

// TestDispatchIsResumedAfterADeathAtEachRequest checks that the host is never asked
// twice, and that every run is started or ends.
func TestDispatchIsResumedAfterADeathAtEachRequest(t *testing.T) {
	t.Parallel()
	unknown, started := 0, 0
	for nth, there := 1, true; there; nth++ {
		w := newWorld(t)
		id := w.plan(t, onGitHub)
		there = w.dies(t, nth, func(ctx context.Context, d dispatch.Dispatcher) error { return d.Repository(ctx, onGitHub) })
		w.minutes(t, 4)
		r := w.get(t, id)
		if r.State != run.Queued || !r.Dispatch.Dispatched() {
			t.Errorf("death at request %d: four minutes later the run is %s: %+v", nth, r.State, r.Dispatch)
		}
		n := w.startedFor(id)
		switch {
		case n == 1:
			started++
			if !w.initiate(t, id, "9001") {
				t.Errorf("death at request %d: the runner gets no work", nth)
			}
		case r.Dispatch.Problem == "":
			t.Errorf("death at request %d: the run counts as dispatched, but the host has started %d jobs", nth, n)
		default:
			unknown++
		}
		w.minutes(t, 16)
		if r = w.get(t, id); n == 0 && r.Reason.Code != run.NeverStarted || n == 1 && r.State != run.Running || w.startedFor(id) != n {
			t.Errorf("death at request %d: %s, %+v; %d jobs", nth, r.State, r.Reason, w.startedFor(id))
		}
	}
	if unknown == 0 || started < 5 {
		t.Errorf("%d runs were started, and of %d that is not known", started, unknown)
	}
}

// TestResponseThatIsLostAfterTheHostHasStartedTheJobIsNotRepeated kills the dispatcher
// while the host starts the job.
func TestResponseThatIsLostAfterTheHostHasStartedTheJobIsNotRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.plan(t, onGitHub)
	ctx, cancel := context.WithCancel(t.Context())
	w.github.CI.OnStart = func(vcstest.CIRun) { cancel() }
	if err := w.dispatcher().Repository(ctx, onGitHub); err == nil {
		t.Error("the death was not noticed")
	}
	w.minutes(t, 10)
	if r := w.get(t, id); w.startedFor(id) != 1 || r.State != run.Queued || !r.Dispatch.Dispatched() {
		t.Errorf("%d jobs; %s, %+v", w.startedFor(id), r.State, r.Dispatch)
	}
	if !w.initiate(t, id, "9001") {
		t.Error("the runner gets no work")
	}
}

// TestSweepIsResumedAfterADeathAtEachRequest kills sweeps that end a run, and those that
// do what follows its end.
func TestSweepIsResumedAfterADeathAtEachRequest(t *testing.T) {
	t.Parallel()
	for nth, there := 1, true; there; nth++ {
		w := newWorld(t)
		id := w.create(t, spec(onGitHub, run.Apply, "a"))
		next := w.create(t, spec(onGitHub, run.Apply, "a"))
		w.dispatch(t, onGitHub)
		w.pass(15 * time.Minute)
		there = w.dies(t, nth, func(ctx context.Context, d dispatch.Dispatcher) error {
			err := d.Sweep(ctx)
			if err == nil {
				w.pass(time.Minute)
				err = d.Sweep(ctx)
			}
			return err
		})
		w.minutes(t, 6)
		r := w.get(t, id)
		// Nobody has used the plans of an apply that never started.
		if r.Reason.Code != run.NeverStarted || w.plans.removed[id] != 0 || !cancelled(w.github.CI.Runs()[0]) {
			t.Errorf("death at request %d: %s, %+v; plans removed %d times; the job is %+v", nth, r.State, r.Reason, w.plans.removed[id], w.github.CI.Runs()[0])
		}
		if len(w.lanes.of(id)) == 0 {
			t.Errorf("death at request %d: nobody asks to evaluate the end", nth)
		}
		if n := w.startedFor(next); n > 1 || n == 0 && !w.get(t, next).Dispatch.Dispatched() {
			t.Errorf("death at request %d: the next apply was started %d times", nth, n)
		}
	}
}

// TestNothingIsStartedTwiceUnderRandomInterleavings lets several dispatchers work at the
// same time, while runners ask for their work, runs are aborted and completed, and
// requests fail. The seeds are fixed.
func TestNothingIsStartedTwiceUnderRandomInterleavings(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			c := &chaos{world: newWorld(t), t: t, draw: rand.New(rand.NewPCG(seed, 7))}
			c.github.Choose(c.hostTrouble)
			for range 40 {
				c.step()
				c.check()
			}
			c.calm = true
			c.github.Choose(func(string) *vcstest.Failure { return nil })
			for left := 40; left > 0 && c.finish() > 0; left-- { // each of the last applies may take its 15 minutes
				c.minutes(t, 16)
				c.check()
			}
			for _, id := range c.made {
				if r := c.get(t, id); !r.State.Ended() {
					t.Errorf("a run is %s in the end: %+v", r.State, r.Dispatch)
				}
			}
		})
	}
}

type chaos struct {
	*world
	t     *testing.T
	mu    sync.Mutex // guards draw: the host draws too
	draw  *rand.Rand
	depth int
	calm  bool
	made  []run.ID
}

// number draws a number below n.
func (c *chaos) number(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draw.IntN(n)
}

func (c *chaos) hostTrouble(string) *vcstest.Failure {
	if c.number(6) > 0 {
		return nil
	}
	return []*vcstest.Failure{{}, {Status: 500}, {Status: 429}}[c.number(3)]
}

func (c *chaos) trouble(operation string) storagetest.Fault {
	var f storagetest.Fault
	if c.depth < 3 && c.number(8) == 0 {
		f.Before = c.step
	}
	if c.number(15) > 0 {
		return f
	}
	kinds := []storagetest.Kind{storagetest.Throttle, storagetest.ServerError, storagetest.LoseAnswer, storagetest.LoseRequest, storagetest.Duplicate}
	if operation == "TransactWriteItems" {
		kinds = append(kinds, storagetest.Conflict)
	}
	f.Kind = kinds[c.number(len(kinds))]
	return f
}

func (c *chaos) any() (run.ID, bool) {
	if len(c.made) == 0 {
		return "", false
	}
	return c.made[c.number(len(c.made))], true
}

// step lets one worker do something. It may fail: what counts is what is stored.
func (c *chaos) step() {
	c.depth++
	defer func() { c.depth-- }()
	ctx := c.t.Context()
	faulty := c.env.WithFaults(&storagetest.Faults{Choose: c.trouble})
	switch n := c.number(12); {
	case n < 3:
		names := []string{"a", "b", "c"}[:1+c.number(3)]
		c.made = append(c.made, c.create(c.t, spec(onGitHub, []run.Type{run.Plan, run.Apply}[c.number(2)], names...)))
	case n < 6:
		_ = c.over(faulty).Repository(ctx, onGitHub)
	case n < 8:
		_ = c.over(faulty).OneByOne().Sweep(ctx)
	case n < 9:
		if id, ok := c.any(); ok {
			_, _, _ = storeOver(faulty).Abort(ctx, id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, c.author())
		}
	case n < 10:
		c.runner(storeOver(faulty))
	default:
		c.pass(time.Duration(c.number(180)) * time.Second)
	}
}

// runner lets the runner of a CI run ask for its work, and perhaps send a result.
func (c *chaos) runner(s runstore.Store) {
	jobs := c.github.CI.Runs()
	if len(jobs) == 0 {
		return
	}
	job := jobs[c.number(len(jobs))]
	token, id := job.Inputs["work-token"], run.ID("")
	for _, made := range c.made {
		if token == workToken(made) {
			id = made
		}
	}
	i, err := s.Initiate(c.t.Context(), id, runstore.CIJob{Run: fmt.Sprint(job.ID), Commit: "bb"}, c.author())
	if err == nil && i.Work && c.number(2) == 0 {
		_, _ = s.Complete(c.t.Context(), id, run.Result{Outcomes: make([]run.Outcome, i.Run.DirspaceCount), Success: true}, c.author())
	}
}

// finish completes the runs that are running. It returns how many others have not ended.
func (c *chaos) finish() (left int) {
	for _, id := range c.made {
		switch r := c.get(c.t, id); r.State {
		case run.Queued:
			left++
		case run.Running:
			if _, err := c.runs.Complete(c.t.Context(), id, run.Result{Outcomes: make([]run.Outcome, r.DirspaceCount), Success: true}, c.author()); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	return left
}

// check checks that no run was started twice, and that no directory has two applies
// under way.
func (c *chaos) check() {
	c.t.Helper()
	held := map[run.Dirspace]run.ID{}
	for _, id := range c.made {
		if n := c.startedFor(id); n > 1 {
			c.t.Fatalf("the host has started %d jobs for one run", n)
		}
		r := c.get(c.t, id)
		if !r.Blocks() {
			continue
		}
		for _, d := range r.Dirspaces {
			if other, twice := held[d]; twice {
				c.t.Fatalf("two applies of %s are under way: %s and %s", d, other, id)
			}
			held[d] = id
		}
	}
}
