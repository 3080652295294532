package membership_test

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/login/membership"
)

// rig is the table, and the table with faults.
type rig struct {
	membership.Renewals
	faulty membership.Renewals
	faults storagetest.Faults
	env    *storagetest.Env
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{env: storagetest.New(t)}
	r.Renewals = membership.Renewals{DB: r.env.DynamoDB, Table: r.env.Table("OperationsTable")}
	r.faulty = membership.Renewals{DB: r.env.WithFaults(&r.faults).DynamoDB, Table: r.Table}
	return r
}

// expect creates a renewal of ann at GitHub, and returns it.
func (r *rig) expect(t *testing.T, at time.Time) membership.Renewal {
	t.Helper()
	if err := r.Expect(t.Context(), "ann", "github", at); err != nil {
		t.Fatal(err)
	}
	a, err := r.Get(t.Context(), "ann", "github")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// due returns the people about whom a host is to be asked at a time.
func (r *rig) due(t *testing.T, at time.Time) []string {
	t.Helper()
	list, err := r.Due(t.Context(), "github", at, 10)
	if err != nil {
		t.Fatal(err)
	}
	var users []string
	for _, reminder := range list {
		users = append(users, reminder.User)
	}
	return users
}

// items returns the number of the table's items.
func (r *rig) items(t *testing.T) int {
	t.Helper()
	out, err := r.env.DynamoDB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &r.Table})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Items)
}

func TestPersonWhoIsHereIsAskedAboutAnHourLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.expect(t, now)
	if !a.Due.Equal(now.Add(membership.RenewalInterval)) || !a.SeenAt.Equal(now) || a.Tries != 0 || a.Refused {
		t.Errorf("got %+v", a)
	}
	if got := r.due(t, a.Due.Add(-time.Millisecond)); len(got) != 0 {
		t.Errorf("due too early: %v", got)
	}
	if got := r.due(t, a.Due); !slices.Equal(got, []string{"ann"}) {
		t.Errorf("due: %v", got)
	}
	if got, err := r.Due(t.Context(), "gitlab", a.Due, 10); err != nil || len(got) != 0 {
		t.Errorf("at another host: %v, %v", got, err)
	}
	later := r.expect(t, now.Add(50*time.Minute))
	if later != a {
		t.Errorf("a second list within the hour changed %+v to %+v", a, later)
	}
	later = r.expect(t, now.Add(70*time.Minute))
	if !later.Due.Equal(a.Due) || !later.SeenAt.Equal(now.Add(70*time.Minute)) || r.items(t) != 2 {
		t.Errorf("got %+v and %d items, want the same time, seen later, and 2 items", later, r.items(t))
	}
}

func TestOnlyOneWorkerMovesOrEndsARenewal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for round, do := range []func(membership.Renewal) error{
		func(a membership.Renewal) error { return r.Move(t.Context(), a, a.Due.Add(time.Minute)) },
		func(a membership.Renewal) error { return r.End(t.Context(), a) },
	} {
		a := r.expect(t, now)
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				switch err := do(a); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, membership.ErrMoved):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := won.Load(); n != 1 || r.items(t) != 2-2*round {
			t.Errorf("round %d: %d workers won, and %d items are left", round, n, r.items(t))
		}
	}
}

func TestMovedRenewalKeepsTriesAndRefusal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.expect(t, now)
	a.Tries, a.Refused = 3, true
	if err := r.Move(t.Context(), a, a.Due.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	got, err := r.Get(t.Context(), "ann", "github")
	if err != nil || got.Tries != 3 || !got.Refused || !got.Due.Equal(a.Due.Add(time.Minute)) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got := r.due(t, a.Due); len(got) != 0 {
		t.Errorf("the old reminder is there: %v", got)
	}
	if err := r.Move(t.Context(), got, got.Due); err != nil {
		t.Errorf("to its own time: %v", err)
	}
}

func TestPersonWhoComesBackIsNotForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.expect(t, now)
	r.expect(t, now.Add(2*time.Hour))
	if err := r.End(t.Context(), a); !errors.Is(err, membership.ErrMoved) {
		t.Errorf("the renewal of a person who was here in the meantime: %v", err)
	}
	present, err := r.Get(t.Context(), "ann", "github")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.End(t.Context(), present); err != nil {
		t.Fatal(err)
	}
	if back := r.expect(t, now.Add(3*time.Hour)); !back.Due.Equal(now.Add(4 * time.Hour)) {
		t.Errorf("got %+v", back)
	}
}

func TestLoginAfterARefusalKeepsTheRenewal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.expect(t, now)
	a.Refused = true
	if err := r.Move(t.Context(), a, a.Due.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	about, err := r.Get(t.Context(), "ann", "github")
	if err != nil {
		t.Fatal(err)
	}
	r.expect(t, now.Add(10*time.Minute)) // within the hour
	if err := r.End(t.Context(), about); !errors.Is(err, membership.ErrMoved) {
		t.Errorf("got %v: the person was here, and no one would renew the host's statement", err)
	}
}

func TestReminderThatIsLeftBehindIsDropped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.expect(t, now)
	list, err := r.Due(t.Context(), "github", a.Due, 10)
	if err != nil || len(list) != 1 || !list[0].At.Equal(a.Due) {
		t.Fatalf("got %+v, %v", list, err)
	}
	if err := r.Drop(t.Context(), "github", list[0]); err != nil {
		t.Fatal(err)
	}
	if got := r.due(t, a.Due); len(got) != 0 {
		t.Errorf("due: %v", got)
	}
}

func TestLostResponsesAndLoadLeaveOneRenewal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, kind := range []storagetest.Kind{storagetest.LoseAnswer, storagetest.ServerError} {
		r.faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Kind: kind})
		if err := r.faulty.Expect(t.Context(), "ann", "github", now); err != nil {
			t.Errorf("%v: %v", kind, err)
		}
		r.faults.Clear()
		if n := r.items(t); n != 2 {
			t.Errorf("%v: %d items", kind, n)
		}
	}
}
