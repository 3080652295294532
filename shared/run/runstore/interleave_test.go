package runstore_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// TestRunsStayRightUnderInterleavings lets workers act on each other's runs between
// any two requests, while requests fail. It checks the invariants of the package
// while it goes on, and that every run ends once nothing fails any more.
func TestRunsStayRightUnderInterleavings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, seed(t))
	for n := range 150 {
		if len(w.made) > 25 {
			break
		}
		w.step()
		if n%25 == 24 {
			w.check()
		}
	}
	w.check()
	w.finish()
	w.look()
	if runs := w.check(); len(runs) < 5 {
		t.Errorf("too little happened: %d runs", len(runs))
	}
	t.Logf("transitions: %v", w.count)
}

// seed returns a random seed, and logs it.
func seed(t *testing.T) uint64 {
	n := rand.Uint64()
	t.Logf("seed %d", n)
	return n
}

// check compares what is stored, and finds every run whose creation was reported.
func (w *world) check() []run.Run {
	w.t.Helper()
	folded := slices.DeleteFunc(slices.Clone(w.folded), func(id run.ID) bool { return active(w.t, w.safe)[id] != "" })
	runs := consistent(w.t, w.safe, folded...)
	for _, id := range w.made {
		if !slices.ContainsFunc(runs, func(r run.Run) bool { return r.ID == id }) {
			w.t.Errorf("the run %s is lost", id)
		}
	}
	return runs
}

// finish dispatches and completes all that is queued or running, without faults.
func (w *world) finish() {
	w.calm = true
	for range 100 {
		left := 0
		for _, r := range w.check() {
			switch {
			case r.State == run.Running || r.State == run.Queued && r.Dispatch.Dispatched():
				w.complete(w.safe, r.ID)
				left++
			case r.State == run.Queued:
				left++
			}
		}
		if left == 0 {
			return
		}
		w.now += lease + time.Minute
		for {
			got, ok, err := w.safe.Claim(w.t.Context(), repository, lease, w.author())
			if err != nil {
				w.t.Fatal(err)
			}
			if !ok {
				break
			}
			if _, err := w.safe.Dispatched(w.t.Context(), got, runstore.HostRun{}, w.author()); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	w.t.Error("some runs never end")
}

// TestWorkersAtTheSameTimeShareTheQueue lets workers create, claim and complete runs
// of one repository in parallel.
func TestWorkersAtTheSameTimeShareTheQueue(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	const workers, each = 4, 4
	var mu sync.Mutex
	running := map[run.Dirspace]run.ID{}
	claims := map[run.ID]int{}
	var all sync.WaitGroup
	for n := range workers {
		all.Go(func() {
			for i := range each {
				// Half of the runs share a directory.
				c := creation(run.Apply, dirs([]string{"shared", string(rune('a' + n))}[i%2]))
				if _, err := s.Create(t.Context(), c, at(0)); err != nil {
					t.Error(err)
				}
				got, ok, err := s.Claim(t.Context(), repository, time.Hour, at(0))
				if err != nil {
					t.Error(err)
				}
				if !ok {
					continue
				}
				mu.Lock()
				claims[got.ID]++
				for _, d := range got.Dirspaces {
					if other, twice := running[d]; twice {
						t.Errorf("%s and %s run in %s", other, got.ID, d)
					}
					running[d] = got.ID
				}
				mu.Unlock()
				if i, err := s.Initiate(t.Context(), got.ID, job("1"), at(0)); err != nil || !i.Work {
					t.Errorf("initiate: %+v, %v", i, err)
				}
				mu.Lock()
				for _, d := range got.Dirspaces {
					delete(running, d)
				}
				mu.Unlock()
				if _, err := s.Complete(t.Context(), got.ID, done(len(got.Dirspaces)), at(0)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for id, n := range claims {
		if n != 1 {
			t.Errorf("%s was claimed %d times", id, n)
		}
	}
	if runs := consistent(t, s); len(runs) != workers*each {
		t.Errorf("%d runs, want %d", len(runs), workers*each)
	}
}

// TestClaimSeesEveryClaimBeforeIt lets a second worker claim an apply of the same
// directory after a first worker has chosen one, and before it claims that one.
func TestClaimSeesEveryClaimBeforeIt(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	ahead := create(t, s, creation(run.Apply, dirs("b")), 0)
	first := create(t, s, creation(run.Apply, dirs("a", "b")), 0)
	second := create(t, s, creation(run.Apply, dirs("a")), 0)
	start(t, s, ahead.ID, "1", 0)
	// The first worker chooses the second run, because the first one waits for the
	// run ahead. Then that one ends, and the second worker claims the first run.
	var f storagetest.Faults
	f.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Before: func() {
		if _, err := s.Complete(t.Context(), ahead.ID, done(1), at(0)); err != nil {
			t.Error(err)
		}
		claim(t, s, first.ID, 0)
	}})
	if got, ok, err := over(env.WithFaults(&f)).Claim(t.Context(), repository, lease, at(0)); ok || err != nil {
		t.Errorf("claimed %s, %t, %v beside %s; the second run is %s", got.ID, ok, err, first.ID, second.ID)
	}
	consistent(t, s)
}
