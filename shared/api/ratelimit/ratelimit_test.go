package ratelimit_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/ratelimit"
	"github.com/opsplane/opsplane/shared/audit/change"
)

var (
	ctx = context.Background()
	// now is 100 s into a window of ten minutes.
	now   = time.Unix(4_000_000_200-4_000_000_200%600+100, 0).UTC()
	limit = ratelimit.Limit{Name: "things", Max: 3, Window: 10 * time.Minute}
)

func author(at time.Time) change.Author {
	return change.Author{Principal: "ann", Request: uuid.NewString(), At: at}
}

func take(t *testing.T, s *ratelimit.Store, pk string, at time.Time) time.Duration {
	t.Helper()
	wait, err := s.Take(ctx, pk, limit, author(at))
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

func TestLimitHoldsForOnePrincipalAndOneWindow(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := &ratelimit.Store{DB: env.DynamoDB, Table: env.Table("TokensTable")}
	for n := range limit.Max {
		if wait := take(t, s, "USER#a", now); wait != 0 {
			t.Errorf("call %d: got %v to wait, want none", n, wait)
		}
	}
	if wait := take(t, s, "USER#a", now.Add(time.Second)); wait != 499*time.Second {
		t.Errorf("got %v to wait, want the rest of the window, 499 s", wait)
	}
	if wait := take(t, s, "USER#b", now); wait != 0 {
		t.Errorf("got %v to wait for another principal, want none", wait)
	}
	if wait := take(t, s, "USER#a", now.Add(500*time.Second)); wait != 0 {
		t.Errorf("got %v to wait in the next window, want none", wait)
	}
	if dump := env.Dump("TokensTable"); !strings.Contains(dump, "ch_by") || !strings.Contains(dump, "ttl") {
		t.Errorf("a counter has no author, or never expires: %s", dump)
	}
}

func TestLimitHoldsForCallsAtOnce(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := &ratelimit.Store{DB: env.DynamoDB, Table: env.Table("TokensTable")}
	var admitted atomic.Int32
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			if take(t, s, "USER#a", now) == 0 {
				admitted.Add(1)
			}
		})
	}
	wg.Wait()
	if n := admitted.Load(); int(n) != limit.Max {
		t.Errorf("got %d admitted of 12 at once, want %d", n, limit.Max)
	}
}

func TestWhatIsGivenBackMayBeTakenAgain(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := &ratelimit.Store{DB: env.DynamoDB, Table: env.Table("TokensTable")}
	for range 2 * limit.Max {
		if wait := take(t, s, "USER#a", now); wait != 0 {
			t.Fatalf("got %v to wait, want none", wait)
		}
		if err := s.GiveBack(ctx, "USER#a", limit, author(now)); err != nil {
			t.Fatal(err)
		}
	}
	// No more is given back than was taken.
	for range 2 {
		if err := s.GiveBack(ctx, "USER#a", limit, author(now)); err != nil {
			t.Fatal(err)
		}
	}
	for range limit.Max {
		take(t, s, "USER#a", now)
	}
	if wait := take(t, s, "USER#a", now); wait == 0 {
		t.Error("got one more admitted than the limit")
	}
}

func TestFailureToCountIsAnError(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	var faults storagetest.Faults
	faults.Add(storagetest.Fault{Operation: "UpdateItem", Kind: storagetest.Throttle})
	s := &ratelimit.Store{DB: env.WithFaults(&faults).DynamoDB, Table: env.Table("TokensTable")}
	if _, err := s.Take(ctx, "USER#a", limit, author(now)); err == nil {
		t.Error("got no error of a table that throttles")
	}
}
