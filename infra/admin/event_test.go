package admin_test

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/event/parked"
)

func TestParkedEventsAreListedSentAgainAndDismissed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	store := parked.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Operations}
	now := r.operator.Now()
	const id = "9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d"
	if out, err := r.run("event parked"); err != nil || out != "" || r.notes.Len() == 0 {
		t.Errorf("none is parked: %q, %v, notes %q", out, err, r.notes.String())
	}
	park := func() {
		t.Helper()
		record := audit.Record{ID: id, Action: "run.create", Subject: "a run", VCS: "github", Installation: "42"}
		if err := store.Park(t.Context(), parked.Parked{Record: record, Next: 3, Problem: "the bus is on fire", At: now, Due: now.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	park()
	park() // a repetition changes nothing
	r.must("event parked", id+"  run.create  github/42  \"a run\"  3 sent  the bus is on fire")
	p, err := store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for stuck := false; !stuck; {
		if stuck, err = store.Failed(t.Context(), p, 3, "refused", now); err != nil {
			t.Fatal(err)
		}
		if p, err = store.Get(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	r.must("event parked", "stuck")
	r.must("event retry "+id, "sent again")
	r.must("event parked", "next try")
	if due, err := store.Due(t.Context(), parked.Waiting, r.operator.Now(), 10); err != nil || len(due) != 1 {
		t.Errorf("due: %v, %v", due, err)
	}
	r.must("event dismiss "+id, "dismissed")
	r.refused("event dismiss "+id, "no events")
}
