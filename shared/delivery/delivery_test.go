package delivery_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/storagetest"
	"github.com/opsplane/opsplane/shared/delivery"
	"github.com/opsplane/opsplane/shared/fault"
)

var born = time.UnixMilli(4_000_000_000_123).UTC()

func store(t *testing.T) (delivery.Store, *storagetest.Env) {
	env := storagetest.New(t)
	return delivery.Store{DB: env.DynamoDB, Table: env.Table("DeliveriesTable")}, env
}

func arrived(id string, after time.Duration) delivery.Delivery {
	return delivery.Delivery{
		VCS: "github", ID: id, Event: "push", Installation: "42", Repository: "7", ReceivedAt: born.Add(after),
	}
}

func accept(t *testing.T, s delivery.Store, d delivery.Delivery, body string) {
	t.Helper()
	if fresh, err := s.Accept(t.Context(), d, []byte(body)); err != nil || !fresh {
		t.Fatalf("accept %s: new %t, %v", d.ID, fresh, err)
	}
}

func TestDeliveryIsStoredOnce(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	accept(t, s, arrived("a", 0), `{"n":1}`)
	if fresh, err := s.Accept(t.Context(), arrived("a", time.Hour), []byte(`{"n":2}`)); err != nil || fresh {
		t.Errorf("the same id again: new %t, %v", fresh, err)
	}
	other := arrived("a", 0)
	other.VCS = "gitlab"
	accept(t, s, other, `{}`)
	d, err := s.Get(t.Context(), "github", "a")
	if err != nil || d.State != delivery.Received || !d.ReceivedAt.Equal(born) || d.Event != "push" || d.Repository != "7" {
		t.Errorf("got %+v, %v", d, err)
	}
	if body, err := s.Body(t.Context(), d); err != nil || string(body) != `{"n":1}` {
		t.Errorf("body %q, %v", body, err)
	}
	if _, err := s.Get(t.Context(), "github", "b"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestLostAnswerOfAnAcceptanceIsNoLoss(t *testing.T) {
	t.Parallel()
	s, env := store(t)
	var f storagetest.Faults
	f.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Kind: storagetest.LoseAnswer})
	lossy := delivery.Store{DB: env.WithFaults(&f).DynamoDB, Table: s.Table}
	if _, err := lossy.Accept(t.Context(), arrived("a", 0), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Get(t.Context(), "github", "a"); err != nil || d.State != delivery.Received {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestLargeBodiesAreKeptInParts(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	for _, size := range []int{0, 1, 340_000, 360_000, 3_400_000} {
		body := make([]byte, size)
		_, _ = rand.Read(body) // does not compress
		d := arrived(fmt.Sprint("size-", size), 0)
		if _, err := s.Accept(t.Context(), d, body); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		d, err := s.Get(t.Context(), d.VCS, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Body(t.Context(), d); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
	body := make([]byte, delivery.MaxBody+1000)
	_, _ = rand.Read(body)
	var f *fault.Error
	if _, err := s.Accept(t.Context(), arrived("huge", 0), body); !errors.As(err, &f) || f.Kind != fault.TooLarge {
		t.Errorf("too large: %v", err)
	}
	if _, err := s.Get(t.Context(), "github", "huge"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a refused delivery is there: %v", err)
	}
}

func TestListIsNewestFirst(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	for i := range 5 {
		accept(t, s, arrived(fmt.Sprint("d", i), time.Duration(i)*time.Minute), "{}")
	}
	none := arrived("none", 0)
	none.Installation = ""
	accept(t, s, none, "{}")
	ids := func(installation string, before time.Time, limit int) string {
		list, err := s.List(t.Context(), "github", installation, before, limit)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		for _, d := range list {
			got += d.ID + " "
		}
		return got
	}
	late := born.Add(time.Hour)
	for _, c := range []struct{ got, want string }{
		{ids("42", late, 10), "d4 d3 d2 d1 d0 "},
		{ids("42", late, 2), "d4 d3 "},
		{ids("42", born.Add(3*time.Minute), 2), "d2 d1 "},
		{ids("", late, 10), "none "},
		{ids("43", late, 10), ""},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func begin(t *testing.T, s delivery.Store, d delivery.Delivery) delivery.Delivery {
	t.Helper()
	got, err := s.Begin(t.Context(), d.Key())
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

func TestFailedDeliveryIsParkedUntilItSucceeds(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	ctx, d := context.Background(), arrived("a", 0)
	accept(t, s, d, "{}")
	now := born
	for try := 1; try <= 3; try++ {
		got := begin(t, s, d)
		if got.Tries != try {
			t.Errorf("try %d is counted as %d", try, got.Tries)
		}
		parked, err := s.Park(ctx, got, "no luck", now)
		if err != nil {
			t.Fatal(err)
		}
		if wait := parked.NextTry.Sub(now); wait < time.Duration(try)*30*time.Second || wait > 6*time.Minute {
			t.Errorf("try %d: the next in %s", try, wait)
		}
		if due(t, s, now) != 0 || due(t, s, parked.NextTry.Add(time.Millisecond)) != 1 {
			t.Errorf("try %d: not due exactly when its time has come", try)
		}
		now = parked.NextTry
	}
	last := begin(t, s, d)
	if err := s.Finish(ctx, last, delivery.Done, "", now); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(ctx, last, delivery.Done, "", now); err != nil {
		t.Errorf("the same outcome again: %v", err)
	}
	got, err := s.Get(ctx, "github", "a")
	if err != nil || got.State != delivery.Done || got.Problem != "" || !got.NextTry.IsZero() || got.Tries != 4 {
		t.Errorf("got %+v, %v", got, err)
	}
	if n := due(t, s, now.Add(1000*time.Hour)); n != 0 {
		t.Errorf("%d reminders are left", n)
	}
	if _, err := s.Begin(ctx, d.Key()); !errors.Is(err, delivery.ErrOver) {
		t.Errorf("begin what is done: %v", err)
	}
}

func TestDeliveryThatNeverSucceedsWaitsForAnOperator(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	ctx, d := context.Background(), arrived("a", 0)
	accept(t, s, d, "{}")
	for range delivery.MaxTries {
		if _, err := s.Park(ctx, begin(t, s, d), "broken", born); err != nil {
			t.Fatal(err)
		}
	}
	if n := due(t, s, born.Add(10000*time.Hour)); n != 0 {
		t.Errorf("%d are due after the last try", n)
	}
	if stuck, err := s.Stuck(ctx, 10); err != nil || len(stuck) != 1 || stuck[0] != d.Key() {
		t.Errorf("stuck: %v, %v", stuck, err)
	}
	if _, err := s.Redeliver(ctx, "github", "a"); err != nil {
		t.Fatal(err)
	}
	if stuck, err := s.Stuck(ctx, 10); err != nil || len(stuck) != 0 {
		t.Errorf("stuck after its redelivery: %v, %v", stuck, err)
	}
	if got := begin(t, s, d); got.State != delivery.Received || got.Tries != 1 || got.Problem != "" {
		t.Errorf("redelivered: %+v", got)
	}
}

func TestOutcomeOfAnOlderTryChangesNothing(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	ctx, d := context.Background(), arrived("a", 0)
	accept(t, s, d, "{}")
	slow := begin(t, s, d)
	if _, err := s.Redeliver(ctx, "github", "a"); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(ctx, slow, delivery.Done, "", born); !errors.Is(err, delivery.ErrOver) {
		t.Errorf("a try from before the redelivery: %v", err)
	}
	first := begin(t, s, d)
	second := begin(t, s, d)
	if _, err := s.Park(ctx, first, "late", born); !errors.Is(err, delivery.ErrOver) {
		t.Errorf("the older of two tries: %v", err)
	}
	if err := s.Finish(ctx, second, delivery.Ignored, "of no concern", born); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, "github", "a"); err != nil || got.State != delivery.Ignored || got.Problem != "of no concern" {
		t.Errorf("got %+v, %v", got, err)
	}
	if n := due(t, s, born.Add(1000*time.Hour)); n != 0 {
		t.Errorf("%d reminders of a delivery that is over", n)
	}
}
