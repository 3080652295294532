package session_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/vcs"
)

var now = time.Unix(4_000_000_000, 0).UTC()

// account is the account with which user u1 logs in.
var account = vcs.Account{VCS: vcs.GitHub, ID: "1"}

// rig is the table, and the table with faults.
type rig struct {
	*session.Store
	faulty *session.Store
	faults storagetest.Faults
	env    *storagetest.Env
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{env: storagetest.New(t)}
	table := r.env.Table("SessionsTable")
	r.Store = &session.Store{DB: r.env.DynamoDB, Table: table}
	r.faulty = &session.Store{DB: r.env.WithFaults(&r.faults).DynamoDB, Table: table}
	return r
}

func author(at time.Time) change.Author {
	return change.Author{Principal: "u1", Request: uuid.NewString(), At: at}
}

// begin creates a session at now.
func (r *rig) begin(t *testing.T) (text, id string) {
	t.Helper()
	text, made, err := r.Create(t.Context(), "u1", account, author(now))
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := session.IDOf(text); !ok || id != made.ID {
		t.Fatalf("got id %q, %t of the text; want %q", id, ok, made.ID)
	}
	if stored, err := r.Get(t.Context(), made.ID); err != nil || stored != made || made.User != "u1" || made.Account != account {
		t.Errorf("stored is %+v, %v; want %+v", stored, err, made)
	}
	return text, made.ID
}

func TestTableHoldsNothingThatOpensASession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	text, id := r.begin(t)
	other, _ := r.begin(t)
	if text == other || len(text) != 43 {
		t.Errorf("got texts %q and %q, want two of 43 letters that differ", text, other)
	}
	if items := r.env.Dump("SessionsTable"); strings.Contains(items, text) || !strings.Contains(items, id) {
		t.Errorf("the table holds %s, want the hash %s and not the text", items, id)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		seen  []time.Duration // after the login
		ended bool
		at    time.Duration
		live  bool
	}{
		"at once":                              {nil, false, 0, true},
		"just before it was idle for too long": {nil, false, session.Idle - time.Second, true},
		"idle for too long":                    {nil, false, session.Idle, false},
		"in use":                               {[]time.Duration{6 * day}, false, 12 * day, true},
		"in use, then idle for too long":       {[]time.Duration{6 * day}, false, 6*day + session.Idle, false},
		"in use to the end":                    {[]time.Duration{6 * day, 12 * day, 18 * day, 24 * day, 29 * day}, false, session.Lifetime - time.Second, true},
		"in use beyond the end":                {[]time.Duration{6 * day, 12 * day, 18 * day, 24 * day, 29 * day}, false, session.Lifetime, false},
		"logged out":                           {nil, true, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			_, id := r.begin(t)
			for _, after := range c.seen {
				if err := r.See(t.Context(), id, author(now.Add(after))); err != nil {
					t.Fatal(err)
				}
			}
			if c.ended {
				if err := r.End(t.Context(), id, author(now)); err != nil {
					t.Fatal(err)
				}
			}
			got, err := r.Get(t.Context(), id)
			if err != nil || got.LiveAt(now.Add(c.at)) != c.live {
				t.Errorf("got %+v, %v; want live: %t", got, err, c.live)
			}
		})
	}
}

func TestEndedSessionStaysEnded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, id := r.begin(t)
	r.faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.LoseAnswer})
	if err := r.faulty.End(t.Context(), id, author(now)); err != nil {
		t.Errorf("with a lost response: %v", err)
	}
	for name, do := range map[string]func() error{
		"see":            func() error { return r.See(t.Context(), id, author(now)) },
		"end":            func() error { return r.End(t.Context(), id, author(now)) },
		"see of no one":  func() error { return r.See(t.Context(), "none", author(now)) },
		"end of no one":  func() error { return r.End(t.Context(), "none", author(now)) },
		"read of no one": func() error { _, err := r.Get(t.Context(), "none"); return err },
	} {
		if err := do(); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
	if got, err := r.Get(t.Context(), id); err != nil || got.LiveAt(now) {
		t.Errorf("got %+v, %v; want an ended session", got, err)
	}
}

func TestWhatIsNoSessionsTextHasNoID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	text, _ := r.begin(t)
	for name, no := range map[string]string{
		"empty": "", "cut short": text[:42], "longer": text + "A", "padded": text + "=", "a UUID": uuid.NewString(),
		"other alphabet": strings.Repeat("+", 43), "loose bits": strings.Repeat("A", 42) + "B", "with a line end": text[:20] + "\n" + text[20:],
	} {
		if id, ok := session.IDOf(no); ok {
			t.Errorf("%s: got id %q", name, id)
		}
	}
}

func TestStateIsSpentOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	state := session.NewState()
	var spent atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			switch err := r.Spend(t.Context(), state, now, author(now)); {
			case err == nil:
				spent.Add(1)
			case !errors.Is(err, session.ErrSpent):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := spent.Load(); n != 1 {
		t.Errorf("spent %d times, want once", n)
	}
	r.faults.Add(storagetest.Fault{Operation: "PutItem", Nth: 1, Kind: storagetest.LoseAnswer})
	other := session.NewState()
	if err := r.faulty.Spend(t.Context(), other, now, author(now)); err != nil {
		t.Errorf("with a lost response: %v", err)
	}
	if strings.Contains(r.env.Dump("SessionsTable"), state) {
		t.Error("the table holds the state")
	}
}
