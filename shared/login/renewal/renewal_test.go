package renewal_test

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/login/renewal"
)

var now = time.Unix(4_000_000_000, 0).UTC()

// house is the table, and the table with faults.
type house struct {
	renewal.Store
	faulty renewal.Store
	faults storagetest.Faults
	env    *storagetest.Env
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{env: storagetest.New(t)}
	h.Store = renewal.Store{DB: h.env.DynamoDB, Table: h.env.Table("OperationsTable")}
	h.faulty = renewal.Store{DB: h.env.WithFaults(&h.faults).DynamoDB, Table: h.Table}
	return h
}

// expect creates a renewal of ann at GitHub, and returns it.
func (h *house) expect(t *testing.T, at time.Time) renewal.Appointment {
	t.Helper()
	if err := h.Expect(t.Context(), "ann", "github", at); err != nil {
		t.Fatal(err)
	}
	a, err := h.Get(t.Context(), "ann", "github")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// due returns the people about whom a host is to be asked at a time.
func (h *house) due(t *testing.T, at time.Time) []string {
	t.Helper()
	list, err := h.Due(t.Context(), "github", at, 10)
	if err != nil {
		t.Fatal(err)
	}
	var users []string
	for _, r := range list {
		users = append(users, r.User)
	}
	return users
}

// items returns the number of the table's items.
func (h *house) items(t *testing.T) int {
	t.Helper()
	out, err := h.env.DynamoDB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &h.Table})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Items)
}

func TestPersonWhoIsHereIsAskedAboutAnHourLater(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.expect(t, now)
	if !a.Due.Equal(now.Add(renewal.Every)) || !a.SeenAt.Equal(now) || a.Tries != 0 || a.Refused {
		t.Errorf("got %+v", a)
	}
	if got := h.due(t, a.Due.Add(-time.Millisecond)); len(got) != 0 {
		t.Errorf("due too early: %v", got)
	}
	if got := h.due(t, a.Due); !slices.Equal(got, []string{"ann"}) {
		t.Errorf("due: %v", got)
	}
	if got, err := h.Due(t.Context(), "gitlab", a.Due, 10); err != nil || len(got) != 0 {
		t.Errorf("at another host: %v, %v", got, err)
	}
	later := h.expect(t, now.Add(50*time.Minute))
	if later != a {
		t.Errorf("a second list within the hour changed %+v to %+v", a, later)
	}
	later = h.expect(t, now.Add(70*time.Minute))
	if !later.Due.Equal(a.Due) || !later.SeenAt.Equal(now.Add(70*time.Minute)) || h.items(t) != 2 {
		t.Errorf("got %+v and %d items, want the same time, seen later, and 2 items", later, h.items(t))
	}
}

func TestAppointmentIsMovedAndEndedByOneWorkerAlone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for round, do := range []func(renewal.Appointment) error{
		func(a renewal.Appointment) error { return h.Move(t.Context(), a, a.Due.Add(time.Minute)) },
		func(a renewal.Appointment) error { return h.End(t.Context(), a) },
	} {
		a := h.expect(t, now)
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				switch err := do(a); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, renewal.ErrMoved):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := won.Load(); n != 1 || h.items(t) != 2-2*round {
			t.Errorf("round %d: %d workers won, and %d items are left", round, n, h.items(t))
		}
	}
}

func TestMovedAppointmentKeepsWhatIsNoted(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.expect(t, now)
	a.Tries, a.Refused = 3, true
	if err := h.Move(t.Context(), a, a.Due.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	got, err := h.Get(t.Context(), "ann", "github")
	if err != nil || got.Tries != 3 || !got.Refused || !got.Due.Equal(a.Due.Add(time.Minute)) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got := h.due(t, a.Due); len(got) != 0 {
		t.Errorf("the old reminder is there: %v", got)
	}
	if err := h.Move(t.Context(), got, got.Due); err != nil {
		t.Errorf("to its own time: %v", err)
	}
}

func TestPersonWhoComesBackIsNotForgotten(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.expect(t, now)
	h.expect(t, now.Add(2*time.Hour))
	if err := h.End(t.Context(), a); !errors.Is(err, renewal.ErrMoved) {
		t.Errorf("the appointment of somebody who was here meanwhile: %v", err)
	}
	present, err := h.Get(t.Context(), "ann", "github")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.End(t.Context(), present); err != nil {
		t.Fatal(err)
	}
	if back := h.expect(t, now.Add(3*time.Hour)); !back.Due.Equal(now.Add(4 * time.Hour)) {
		t.Errorf("got %+v", back)
	}
}

func TestLoginAfterARefusalKeepsTheAppointment(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.expect(t, now)
	a.Refused = true
	if err := h.Move(t.Context(), a, a.Due.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	about, err := h.Get(t.Context(), "ann", "github")
	if err != nil {
		t.Fatal(err)
	}
	h.expect(t, now.Add(10*time.Minute)) // within the hour
	if err := h.End(t.Context(), about); !errors.Is(err, renewal.ErrMoved) {
		t.Errorf("got %v: the person was here, and nobody would look after the host's word", err)
	}
}

func TestReminderThatIsLeftBehindIsDropped(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.expect(t, now)
	list, err := h.Due(t.Context(), "github", a.Due, 10)
	if err != nil || len(list) != 1 || !list[0].At.Equal(a.Due) {
		t.Fatalf("got %+v, %v", list, err)
	}
	if err := h.Drop(t.Context(), "github", list[0]); err != nil {
		t.Fatal(err)
	}
	if got := h.due(t, a.Due); len(got) != 0 {
		t.Errorf("due: %v", got)
	}
}

func TestLostAnswersAndLoadLeaveOneAppointment(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, kind := range []storagetest.Kind{storagetest.LoseAnswer, storagetest.ServerError} {
		h.faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Kind: kind})
		if err := h.faulty.Expect(t.Context(), "ann", "github", now); err != nil {
			t.Errorf("%v: %v", kind, err)
		}
		h.faults.Clear()
		if n := h.items(t); n != 2 {
			t.Errorf("%v: %d items", kind, n)
		}
	}
}
