package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs"
)

func begin(t *testing.T, s delivery.Store, d delivery.Delivery) delivery.Delivery {
	t.Helper()
	got, err := s.Begin(t.Context(), d.Key(), born)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func due(t *testing.T, s delivery.Store, at time.Time) int {
	t.Helper()
	keys, err := s.Due(t.Context(), at, 100)
	if err != nil {
		t.Fatal(err)
	}
	return len(keys)
}

func get(t *testing.T, s delivery.Store, id string) delivery.Delivery {
	t.Helper()
	d, err := s.Get(t.Context(), "github", id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const never = 100_000 * time.Hour // later than the time of any test

func TestFailedDeliveryIsParkedUntilItSucceeds(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	ctx, d := context.Background(), arrived("a", 0)
	accept(t, s, d, "{}")
	now, got := born, begin(t, s, d)
	for try := 1; try <= 3; try++ {
		if got.Tries != try || got.Begun != 1 {
			t.Errorf("try %d is counted as %d, %d begun", try, got.Tries, got.Begun)
		}
		parked, err := s.Park(ctx, got, "no luck", now)
		if err != nil {
			t.Fatal(err)
		}
		if wait := parked.NextTry.Sub(now); wait < time.Duration(try)*30*time.Second || wait > 6*time.Minute {
			t.Errorf("try %d: the next in %s", try, wait)
		}
		if due(t, s, parked.NextTry.Add(-time.Millisecond)) != 0 || due(t, s, parked.NextTry) != 1 {
			t.Errorf("try %d: not due exactly when its time has come", try)
		}
		if _, err := s.Begin(ctx, d.Key(), now); !errors.Is(err, delivery.ErrOver) {
			t.Errorf("try %d: told of again by the stream while it is parked: %v", try, err)
		}
		now = parked.NextTry
		if got, err = s.BeginDue(ctx, d.Key(), now); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the same outcome again is no error
		if err := s.Finish(ctx, got, delivery.Done, "", now); err != nil {
			t.Fatal(err)
		}
	}
	if got := get(t, s, "a"); got.State != delivery.Done || got.Problem != "" || !got.NextTry.IsZero() || got.Tries != 4 || got.Begun != 0 {
		t.Errorf("got %+v", got)
	}
	if n := due(t, s, now.Add(never)); n != 0 {
		t.Errorf("%d are due that are over", n)
	}
	if _, err := s.Begin(ctx, d.Key(), now); !errors.Is(err, delivery.ErrOver) {
		t.Errorf("begin what is done: %v", err)
	}
}

func TestDeliveryThatNobodyWasWokenForIsDue(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	for i, id := range []string{"c", "a", "b"} {
		accept(t, s, arrived(id, time.Duration(i)*time.Second), "{}")
	}
	now := born.Add(delivery.Lease)
	if n := due(t, s, now.Add(-time.Millisecond)); n != 0 {
		t.Errorf("%d are due while the stream tells of them", n)
	}
	keys, err := s.Due(t.Context(), now.Add(time.Minute), 2)
	if err != nil || len(keys) != 2 || keys[0] != arrived("c", 0).Key() || keys[1] != arrived("a", time.Second).Key() {
		t.Fatalf("not the two that wait longest, in their order: %v, %v", keys, err)
	}
	// A delivery that was begun, and whose worker died, comes after the others.
	got, err := s.BeginDue(t.Context(), keys[0], now.Add(time.Minute))
	if err != nil || got.State != delivery.Received || got.Tries != 1 {
		t.Fatalf("begin what is due: %+v, %v", got, err)
	}
	if _, err := s.BeginDue(t.Context(), keys[0], now.Add(time.Minute)); !errors.Is(err, delivery.ErrOver) {
		t.Errorf("begun twice at once: %v", err)
	}
	keys, err = s.Due(t.Context(), now.Add(time.Hour), 10)
	if err != nil || len(keys) != 3 || keys[2] != arrived("c", 0).Key() {
		t.Errorf("the one that was begun is not last: %v, %v", keys, err)
	}
}

func TestDeliveryThatNeverSucceedsWaitsForAnOperator(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	ctx, d := context.Background(), arrived("a", 0)
	accept(t, s, d, "{}")
	got := begin(t, s, d)
	for now := born; ; {
		parked, err := s.Park(ctx, got, "broken", now)
		if err != nil {
			t.Fatal(err)
		}
		if now = parked.NextTry; now.IsZero() {
			break
		}
		if got, err = s.BeginDue(ctx, d.Key(), now); err != nil {
			t.Fatal(err)
		}
	}
	if got.Tries != delivery.MaxTries {
		t.Errorf("given up after %d tries", got.Tries)
	}
	isStuck(t, s, d)
	again, err := s.Redeliver(ctx, "github", "a", born)
	if err != nil || again.State != delivery.Received || again.Tries != 0 || again.Problem != "" {
		t.Fatalf("redelivered: %+v, %v", again, err)
	}
	if stuck, err := s.Stuck(ctx); err != nil || len(stuck) != 0 {
		t.Errorf("stuck after its redelivery: %v, %v", stuck, err)
	}
	if due(t, s, born.Add(delivery.Lease)) != 1 {
		t.Error("a redelivery that nobody is woken for is never due")
	}
	got = begin(t, s, d)
	if got.State != delivery.Received || got.Tries != 1 || got.Problem != "" || got.Begun != 1 {
		t.Errorf("begun after its redelivery: %+v", got)
	}
	if _, err := s.GiveUp(ctx, got, "hopeless", born); err != nil {
		t.Fatal(err)
	}
	isStuck(t, s, d)
}

func isStuck(t *testing.T, s delivery.Store, d delivery.Delivery) {
	t.Helper()
	if n := due(t, s, born.Add(never)); n != 0 {
		t.Errorf("%d are due that are stuck", n)
	}
	if stuck, err := s.StuckOf(t.Context(), d.Installation); err != nil || len(stuck) != 1 || stuck[0].Key() != d.Key() {
		t.Errorf("stuck: %v, %v", stuck, err)
	}
	if all, err := s.Stuck(t.Context()); err != nil || fmt.Sprint(all) != "[github 42: 1]" {
		t.Errorf("stuck: %v, %v", all, err)
	}
	if got := get(t, s, d.ID); got.State != delivery.Parked || !got.NextTry.IsZero() {
		t.Errorf("stuck, but %+v", got)
	}
}

func TestOutcomeOfAnOlderTryChangesNothing(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	ctx, d := context.Background(), arrived("a", 0)
	accept(t, s, d, "{}")
	refused := func(what string, old delivery.Delivery) {
		t.Helper()
		before := get(t, s, "a")
		if err := s.Finish(ctx, old, delivery.Done, "", born); !errors.Is(err, delivery.ErrOver) {
			t.Errorf("%s, finished: %v", what, err)
		}
		if _, err := s.Park(ctx, old, "late", born); !errors.Is(err, delivery.ErrOver) {
			t.Errorf("%s, parked: %v", what, err)
		}
		if after := get(t, s, "a"); after != before {
			t.Errorf("%s changes %+v to %+v", what, before, after)
		}
	}
	slow := begin(t, s, d)
	redeliver(t, s)
	refused("a try from before the redelivery", slow)
	second := begin(t, s, d) // counted from 1 again
	refused("a try with the same count from before the redelivery", slow)
	redeliver(t, s)
	begin(t, s, d)
	refused("a try from before the second redelivery", second)
	last := begin(t, s, d)
	if err := s.Finish(ctx, last, delivery.Ignored, "of no concern", born); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "a"); got.State != delivery.Ignored || got.Problem != "of no concern" {
		t.Errorf("got %+v", got)
	}
	if n := due(t, s, born.Add(never)); n != 0 {
		t.Errorf("%d are due that are over", n)
	}
}

func redeliver(t *testing.T, s delivery.Store) {
	t.Helper()
	if _, err := s.Redeliver(t.Context(), "github", "a", born); err != nil {
		t.Fatal(err)
	}
}

// TestLostAnswersLoseNothing loses the response, and then the request, of each call
// that changes a delivery's state. In each case the delivery is still found when it
// is due, and can be ended.
func TestLostAnswersLoseNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, move := range map[string]func(delivery.Store, delivery.Delivery) error{
		"begin": func(s delivery.Store, d delivery.Delivery) error {
			_, err := s.Begin(ctx, d.Key(), born)
			return err
		},
		"park": func(s delivery.Store, d delivery.Delivery) error {
			_, err := s.Park(ctx, d, "x", born)
			return err
		},
		"give up": func(s delivery.Store, d delivery.Delivery) error {
			_, err := s.GiveUp(ctx, d, "x", born)
			return err
		},
		"redeliver": func(s delivery.Store, d delivery.Delivery) error {
			_, err := s.Redeliver(ctx, d.Installation.VCS, d.ID, born)
			return err
		},
	} {
		for kind, what := range map[storagetest.Kind]string{storagetest.LoseAnswer: "answer", storagetest.LoseRequest: "request"} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				s, env := store(t)
				accept(t, s, arrived("a", 0), "{}")
				d := begin(t, s, arrived("a", 0))
				var f storagetest.Faults
				f.Add(storagetest.Fault{Operation: "UpdateItem", Kind: kind}) // every attempt
				if err := move(delivery.Store{DB: env.WithFaults(&f).DynamoDB, Table: s.Table}, d); err == nil {
					t.Fatal("nothing failed")
				}
				now := born.Add(7 * time.Hour) // later than any next try
				if stuck, err := s.Stuck(ctx); err != nil || due(t, s, now)+len(stuck) != 1 {
					t.Fatalf("%d due, %d stuck, %v", due(t, s, now), len(stuck), err)
				} else if len(stuck) == 1 {
					redeliver(t, s)
				}
				last, err := s.BeginDue(ctx, d.Key(), now)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Finish(ctx, last, delivery.Done, "", now); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func TestParkedDeliveriesOfAllInstallationsAreListedStuckOnesFirst(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	ctx := context.Background()
	for i, id := range []string{"waits", "done", "later", "soon", "stuck"} {
		d := arrived(id, time.Duration(i)*time.Second)
		d.Installation.ID = vcs.ID(id)
		accept(t, s, d, "{}")
		if id == "waits" {
			continue
		}
		got := begin(t, s, d)
		var err error
		switch id {
		case "done":
			err = s.Finish(ctx, got, delivery.Done, "", born)
		case "later":
			_, err = s.Park(ctx, got, "x", born.Add(time.Hour))
		case "soon":
			_, err = s.Park(ctx, got, "x", born)
		case "stuck":
			_, err = s.GiveUp(ctx, got, "x", born)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[int]string{10: "stuck soon later ", 2: "stuck soon ", 1: "stuck "} {
		list, err := s.Parked(ctx, limit)
		got := ""
		for _, d := range list {
			got += d.ID + " "
		}
		if err != nil || got != want {
			t.Errorf("at most %d: %q, %v, want %q", limit, got, err, want)
		}
	}
}

func TestTryThatIsContinuedKeepsWhatItHasDone(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	ctx := context.Background()
	accept(t, s, arrived("a", 0), "{}")
	first := begin(t, s, arrived("a", 0))
	first.Applied = 1000
	if _, err := s.Continue(ctx, first, born); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "a"); got.State != delivery.Received || got.Tries != 0 || got.Begun != 0 || got.Applied != 1000 {
		t.Errorf("continued: %+v", got)
	}
	if due(t, s, born.Add(delivery.Lease)) != 1 {
		t.Error("what nobody is woken for is never due")
	}
	second := begin(t, s, arrived("a", 0))
	if _, err := s.Continue(ctx, first, born); !errors.Is(err, delivery.ErrOver) {
		t.Errorf("the first try once more: %v", err)
	}
	if _, err := s.Park(ctx, second, "x", born); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "a"); got.Applied != 1000 {
		t.Errorf("parked: %+v", got)
	}
	redeliver(t, s)
	if got := begin(t, s, arrived("a", 0)); got.Applied != 0 {
		t.Errorf("an operator has all of it done again: %+v", got)
	}
}
