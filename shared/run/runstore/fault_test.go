package runstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// operation is a call of the store whose requests fail one after the other.
type operation struct {
	// prepare makes what the operation needs, and returns its run.
	prepare func(*testing.T, runstore.Store) run.ID
	// call makes the operation in a new request.
	call func(context.Context, runstore.Store, run.ID) error
	// want is the state of the run once the operation took effect.
	want run.State
	// recover is what others do after the operation failed. It may be nil.
	recover func(*testing.T, runstore.Store)
}

var operations = map[string]operation{
	"create": {
		prepare: func(*testing.T, runstore.Store) run.ID { return run.NewID() },
		call: func(ctx context.Context, s runstore.Store, key run.ID) error {
			c := keyed("ann", string(key), "plan") // a repetition has a new id, and the same key
			c.Spec.Dirspaces = spaces(601)
			_, err := s.Create(ctx, c, at(0))
			return err
		},
		want: run.Queued,
		recover: func(t *testing.T, s runstore.Store) {
			list, err := s.Due(t.Context(), runstore.CreatingList, born.Add(time.Hour), 10)
			for _, d := range list {
				err = errors.Join(err, s.RemoveUnfinished(t.Context(), d, nil, at(time.Hour)))
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	},
	"claim": {
		prepare: func(t *testing.T, s runstore.Store) run.ID { return create(t, s, creation(run.Apply, dirs("a")), 0).ID },
		call: func(ctx context.Context, s runstore.Store, id run.ID) error {
			// The first worker may be lost, and its lease must end.
			if got, ok, err := s.Claim(ctx, repository, lease, at(lease)); err != nil || !ok || got.ID != id {
				return errors.Join(err, fmt.Errorf("claimed %s, %t", got.ID, ok))
			}
			return nil
		},
		want: run.Queued,
	},
	"dispatched": {
		prepare: func(t *testing.T, s runstore.Store) run.ID {
			id := create(t, s, creation(run.Apply, dirs("a")), 0).ID
			claim(t, s, id, 0)
			return id
		},
		call: func(ctx context.Context, s runstore.Store, id run.ID) error {
			_, err := s.Dispatched(ctx, run.Run{Spec: run.Spec{ID: id}, Dispatch: run.Dispatch{Attempt: 1}}, runstore.HostRun{ID: "1"}, at(0))
			return err
		},
		want: run.Queued,
	},
	"initiate": {
		prepare: func(t *testing.T, s runstore.Store) run.ID {
			id := create(t, s, creation(run.Apply, dirs("a")), 0).ID
			claim(t, s, id, 0)
			return id
		},
		call: func(ctx context.Context, s runstore.Store, id run.ID) error {
			i, err := s.Initiate(ctx, id, job("1"), at(0))
			if err == nil && (!i.Work || len(i.Manifest.Body) == 0 || len(i.Sealed) == 0) {
				err = fmt.Errorf("got %+v", i)
			}
			return err
		},
		want: run.Running,
	},
	"complete": {
		prepare: func(t *testing.T, s runstore.Store) run.ID {
			id := create(t, s, creation(run.Apply, dirs("a")), 0).ID
			start(t, s, id, "1", 0)
			return id
		},
		call: func(ctx context.Context, s runstore.Store, id run.ID) error {
			_, err := s.Complete(ctx, id, done(1), at(0))
			return err
		},
		want: run.Completed,
	},
	"abort": {
		prepare: func(t *testing.T, s runstore.Store) run.ID {
			id := create(t, s, creation(run.Apply, dirs("a")), 0).ID
			start(t, s, id, "1", 0)
			return id
		},
		call: func(ctx context.Context, s runstore.Store, id run.ID) error {
			_, _, err := s.Abort(ctx, id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, at(0))
			return err
		},
		want: run.Aborted,
	},
	"unlock": {
		prepare: func(t *testing.T, s runstore.Store) run.ID {
			id := create(t, s, creation(run.Apply, dirs("a")), 0).ID
			start(t, s, id, "1", 0)
			return id
		},
		call: func(ctx context.Context, s runstore.Store, _ run.ID) error {
			_, err := s.Unlock(ctx, repository, run.OriginOfPullRequest(17), "bob", at(0))
			return err
		},
		want: run.Aborted,
	},
}

// after checks what an operation has left, once it took effect, and removes it.
func (o operation) after(t *testing.T, s runstore.Store) {
	t.Helper()
	runs := consistent(t, s)
	if len(runs) != 1 {
		t.Fatalf("%d runs, want one", len(runs))
	}
	if runs[0].State != o.want {
		t.Errorf("the run is %s, want it %s", runs[0].State, o.want)
	}
	eraseAll(t, s)
}

// TestOperationSurvivesTheFailureOfEachOfItsRequests lets each request of each
// operation fail once, in each way. The client's own retries are part of the test.
func TestOperationSurvivesTheFailureOfEachOfItsRequests(t *testing.T) {
	t.Parallel()
	for name, o := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, s := open(t)
			for kind, way := range map[storagetest.Kind]string{
				storagetest.Throttle: "throttle", storagetest.Conflict: "conflict", storagetest.ServerError: "server error", storagetest.LoseAnswer: "lost response",
				storagetest.LoseRequest: "lost request", storagetest.Refuse: "refused", storagetest.Duplicate: "duplicate",
			} {
				for nth, there := 1, true; there; nth++ {
					id := o.prepare(t, s)
					var f storagetest.Faults
					fault := storagetest.Fault{Nth: nth, Kind: kind}
					if kind == storagetest.Conflict {
						fault.Operation = "TransactWriteItems" // nothing else meets other transactions
					}
					f.Add(fault)
					err := o.call(t.Context(), over(env.WithFaults(&f)), id)
					there = f.Calls(fault.Operation) >= nth
					if err != nil {
						t.Errorf("%s of request %d: %v", way, nth, err)
					}
					o.after(t, s)
				}
			}
		})
	}
}

// TestOperationIsRepeatedAfterADeathAtEachRequest kills each operation directly after
// each of its requests took effect, and repeats it in a new request.
func TestOperationIsRepeatedAfterADeathAtEachRequest(t *testing.T) {
	t.Parallel()
	for name, o := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, s := open(t)
			for nth, there := 1, true; there; nth++ {
				id := o.prepare(t, s)
				there = interrupted(t, env, func(s runstore.Store) error { return o.call(t.Context(), s, id) }, "", nth)
				consistent(t, s)
				err := o.call(t.Context(), s, id)
				if err != nil && name == "claim" {
					// The claim took effect, and belongs to the one that died.
					_, _, err = s.Claim(t.Context(), repository, lease, at(2*lease))
				}
				if err != nil {
					t.Fatalf("repeated after a death at request %d: %v", nth, err)
				}
				if o.recover != nil {
					o.recover(t, s)
				}
				o.after(t, s)
			}
		})
	}
}

// TestOperationNeedsNoResponseToItsTransactions loses every response to a
// transaction. The operation finds out by reading that it took effect.
func TestOperationNeedsNoResponseToItsTransactions(t *testing.T) {
	t.Parallel()
	for name, o := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, s := open(t)
			id := o.prepare(t, s)
			var f storagetest.Faults
			f.Add(storagetest.Fault{Operation: "TransactWriteItems", Kind: storagetest.LoseAnswer})
			if err := o.call(t.Context(), over(env.WithFaults(&f)), id); err != nil {
				t.Error(err)
			}
			o.after(t, s)
		})
	}
}

func TestFirstResultIsNoRepetitionAlthoughItsResponseWasLost(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	id := create(t, s, creation(run.Plan, dirs("a")), 0).ID
	start(t, s, id, "1", 0)
	var f storagetest.Faults
	f.Add(storagetest.Fault{Operation: "TransactWriteItems", Kind: storagetest.LoseAnswer})
	if c, err := over(env.WithFaults(&f)).Complete(t.Context(), id, done(1), at(0)); err != nil || c.Repeated {
		t.Errorf("got %+v, %v", c, err)
	}
	if c, err := s.Complete(t.Context(), id, done(1), at(0)); err != nil || !c.Repeated {
		t.Errorf("again: got %+v, %v", c, err)
	}
}
