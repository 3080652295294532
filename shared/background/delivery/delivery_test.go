package delivery_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs"
)

var born = time.UnixMilli(4_000_000_000_123).UTC()

func store(t *testing.T) (delivery.Store, *storagetest.Env) {
	env := storagetest.New(t)
	return delivery.Store{DB: env.DynamoDB, Table: env.Table("DeliveriesTable")}, env
}

func arrived(id string, after time.Duration) delivery.Delivery {
	return delivery.Delivery{
		ID: id, Event: "push", Installation: vcs.Installation{VCS: "github", ID: "42"}, Repository: "7", ReceivedAt: born.Add(after),
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
	other.Installation.VCS = "gitlab"
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
		d, err := s.Get(t.Context(), d.Installation.VCS, d.ID)
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
	none.Installation.ID = ""
	accept(t, s, none, "{}")
	ids := func(installation string, before time.Time, limit int) string {
		list, err := s.List(t.Context(), vcs.Installation{VCS: "github", ID: vcs.ID(installation)}, delivery.Query{Before: before, Limit: limit})
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
	if err := s.Finish(t.Context(), begin(t, s, arrived("d1", time.Minute)), delivery.Done, "", born); err != nil {
		t.Fatal(err)
	}
	done, err := s.List(t.Context(), vcs.Installation{VCS: "github", ID: "42"}, delivery.Query{Before: late, State: delivery.Done, Limit: 10})
	if err != nil || len(done) != 1 || done[0].ID != "d1" {
		t.Errorf("those that are done: %+v, %v", done, err)
	}
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
