package delivery_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestCancelledAcceptanceIsMadeAgain(t *testing.T) {
	t.Parallel()
	s, env := store(t)
	for _, kind := range []storagetest.Kind{storagetest.Throttle, storagetest.Conflict} {
		id := fmt.Sprint("kind-", kind)
		var f storagetest.Faults
		for n := range 3 {
			f.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: n + 1, Kind: kind})
		}
		busy := delivery.Store{DB: env.WithFaults(&f).DynamoDB, Table: s.Table}
		if fresh, err := busy.Accept(t.Context(), arrived(id, 0), []byte("{}")); err != nil || !fresh {
			t.Errorf("%s: new %t, %v", id, fresh, err)
		}
		if got := get(t, s, id); got.State != delivery.Received {
			t.Errorf("%s: %+v", id, got)
		}
	}
	// The retries end: GitHub waits only for some seconds.
	var f storagetest.Faults
	f.Add(storagetest.Fault{Operation: "TransactWriteItems", Kind: storagetest.Conflict})
	busy := delivery.Store{DB: env.WithFaults(&f).DynamoDB, Table: s.Table}
	if _, err := busy.Accept(t.Context(), arrived("never", 0), []byte("{}")); err == nil {
		t.Error("stored through conflicts without end")
	}
}

func TestOneOfManyAtOnceWithTheSameIDIsStored(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	var fresh atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			stored, err := s.Accept(t.Context(), arrived("a", 0), []byte(`{"n":1}`))
			if err != nil {
				t.Error(err)
			}
			if stored {
				fresh.Add(1)
			}
		})
	}
	all.Wait()
	if n := fresh.Load(); n != 1 {
		t.Errorf("%d of them are new", n)
	}
	if list, err := s.List(t.Context(), vcs.Installation{VCS: "github", ID: "42"}, delivery.Query{Before: born.Add(never), Limit: 100}); err != nil || len(list) != 1 {
		t.Errorf("stored %d, %v", len(list), err)
	}
}

func TestBodyThatComesAgainUnderAnotherIDIsRepeated(t *testing.T) {
	t.Parallel()
	s, env := store(t)
	send := func(s delivery.Store, id, installation, body string, timeless bool) {
		t.Helper()
		d := arrived(id, 0)
		d.Installation.ID, d.Timeless = vcs.ID(installation), timeless
		if _, err := s.Accept(t.Context(), d, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	send(s, "a", "42", "loss", true)
	send(s, "a", "42", "loss", true) // the host's own redelivery
	send(s, "b", "42", "loss", true)
	send(s, "c", "42", "another", true)
	send(s, "d", "43", "loss", true)
	send(s, "e", "42", "loss", false)
	var f storagetest.Faults
	f.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Kind: storagetest.LoseAnswer})
	send(delivery.Store{DB: env.WithFaults(&f).DynamoDB, Table: s.Table}, "f", "42", "a third", true)
	send(s, "g", "42", "a third", true)
	for id, want := range map[string]bool{"a": false, "b": true, "c": false, "d": false, "e": false, "f": false, "g": true} {
		if got := get(t, s, id); got.Repeated != want {
			t.Errorf("%s: repeated %t", id, got.Repeated)
		}
	}
}
