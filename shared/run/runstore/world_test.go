package runstore_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// world draws operations of several workers on the runs of one repository. Before
// each request of an operation, other operations may take place, and the request may
// fail. All that is drawn depends on the seed.
type world struct {
	t    *testing.T
	env  *storagetest.Env
	safe runstore.Store // without faults
	mu   sync.Mutex     // guards draw: a creation writes several items at the same time
	draw *rand.Rand

	now    time.Duration // since born
	depth  int           // of operations within operations
	calm   bool          // nothing fails, and nothing comes in between
	made   []run.ID      // the runs whose creation was reported
	claims []run.Run
	folded []run.ID
	seen   map[run.ID]run.State
	count  map[run.State]int // transitions that were seen
}

func newWorld(t *testing.T, seed uint64) *world {
	env, s := open(t)
	return &world{
		t: t, env: env, safe: s, draw: rand.New(rand.NewPCG(seed, 0)), seen: map[run.ID]run.State{}, count: map[run.State]int{},
	}
}

// store returns the store as one worker has it.
func (w *world) store() runstore.Store {
	if w.calm {
		return w.safe
	}
	return over(w.env.WithFaults(&storagetest.Faults{Choose: w.trouble}))
}

// trouble draws what happens before a request, and how it fails.
func (w *world) trouble(operation string) storagetest.Fault {
	var f storagetest.Fault
	// A creation writes its parts at the same time. What takes place before these would
	// take place at the same time too.
	alone := operation == "TransactWriteItems" || operation == "GetItem" || operation == "Query"
	if alone && w.depth < 3 && w.number(4) == 0 {
		f.Before = w.step
	}
	if w.number(12) > 0 {
		return f
	}
	kinds := []storagetest.Kind{storagetest.Throttle, storagetest.ServerError, storagetest.LoseAnswer, storagetest.LoseRequest, storagetest.Duplicate}
	if operation == "TransactWriteItems" {
		kinds = append(kinds, storagetest.Conflict)
	}
	f.Kind = kinds[w.number(len(kinds))]
	return f
}

// number draws a number below n.
func (w *world) number(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.draw.IntN(n)
}

func (w *world) author() change.Author { return at(w.now) }

// any returns a run that was created, or "".
func (w *world) any() run.ID {
	if len(w.made) == 0 {
		return ""
	}
	return w.made[w.number(len(w.made))]
}

// creation draws a run of a few directories, so that runs meet.
func (w *world) creation() runstore.Creation {
	var names []string
	for _, name := range []string{"a", "b", "c", "d"} {
		if w.number(3) == 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		names = []string{"a"}
	}
	c := creation([]run.Type{run.Plan, run.Apply, run.Apply}[w.number(3)], dirs(names...))
	c.Spec.Kind = []run.Kind{{Name: run.PullRequest, Number: 1}, {Name: run.PullRequest, Number: 2}, {Name: run.Drift}}[w.number(3)]
	return c
}

// step makes one operation, and looks at what it did to the states. An operation may
// fail: what counts is what is stored afterwards.
func (w *world) step() {
	w.depth++
	defer func() { w.depth-- }()
	s, ctx := w.store(), w.t.Context()
	switch n := w.number(20); {
	case n < 3:
		if made, err := s.Create(ctx, w.creation(), w.author()); err == nil {
			w.made = append(w.made, made.Run.ID)
		}
	case n < 8:
		if got, ok, err := s.Claim(ctx, repository, lease, w.author()); err == nil && ok {
			w.claims = append(w.claims, got)
		}
	case n < 10 && len(w.claims) > 0:
		_, _ = s.Dispatched(ctx, w.claims[w.number(len(w.claims))], runstore.HostRun{ID: fmt.Sprint(w.number(50))}, w.author())
	case n < 11 && len(w.claims) > 0:
		_, _ = s.DispatchFailed(ctx, w.claims[w.number(len(w.claims))], "no", born.Add(w.now+time.Minute), w.author())
	case n < 14 && w.any() != "":
		j := job([]string{"1", "1", "2"}[w.number(3)])
		if w.number(10) == 0 {
			j.Commit = "cc"
		}
		id := w.any()
		if len(w.claims) > 0 && w.number(4) > 0 {
			id = w.claims[w.number(len(w.claims))].ID
		}
		_, _ = s.Initiate(ctx, id, j, w.author())
	case n < 16 && w.any() != "":
		w.complete(s, w.any())
	case n < 17 && w.any() != "":
		_, _, _ = s.Abort(ctx, w.any(), runstore.Abortion{Reason: run.ReasonByPerson("ann"), OnlyQueued: w.number(2) == 0}, w.author())
	case n < 18 && w.number(3) == 0:
		_, _ = s.Unlock(ctx, repository, []run.Origin{run.OriginOfPullRequest(1), run.OriginOfDrift}[w.number(2)], "bob", w.author())
	case n < 19:
		w.fold(s)
	default:
		w.now += time.Duration(w.number(200)) * time.Second
	}
	w.look()
}

func (w *world) complete(s runstore.Store, id run.ID) {
	if r, err := w.safe.Get(w.t.Context(), id); err == nil {
		_, _ = s.Complete(w.t.Context(), id, done(r.DirspaceCount), w.author())
	}
}

// fold folds the first run in that has ended.
func (w *world) fold(s runstore.Store) {
	rows, err := w.safe.Active(w.t.Context(), repository)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, a := range rows {
		if a.State.Ended() {
			// The response may be lost. The row is gone in any case, if it took effect.
			_ = s.Folded(w.t.Context(), run.Run{Spec: run.Spec{ID: a.ID, Repository: a.Repository}, Seq: a.Seq})
			w.folded = append(w.folded, a.ID)
			return
		}
	}
}

// look checks that each run that is known has made at most one legal transition since
// the last look.
func (w *world) look() {
	w.t.Helper()
	for _, id := range w.made {
		r, err := w.safe.Get(w.t.Context(), id)
		if err != nil {
			w.t.Fatalf("the run %s is lost: %v", id, err)
		}
		was, known := w.seen[id]
		if known && was != r.State && !was.CanBecome(r.State) {
			w.t.Fatalf("the run %s went from %s to %s", id, was, r.State)
		}
		if was != r.State {
			w.count[r.State]++
		}
		w.seen[id] = r.State
	}
}
