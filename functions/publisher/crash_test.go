package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/infra/test/bustest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run"
)

// TestNoEventIsLostWhereverAnInvocationEnds lets each request to storage fail, one after
// the other, with and without effect, while a batch is published and parked, and while the
// schedule sends it again. Whatever fails, every event arrives, and nothing stays parked.
func TestNoEventIsLostWhereverAnInvocationEnds(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	base := newRigOn(t, env)
	id := base.completed(t, run.Plan, 12)
	for _, kind := range []storagetest.Kind{storagetest.Refuse, storagetest.LoseAnswer} {
		for nth := 1; ; nth++ {
			r := newRigOn(t, env)
			end := record(id, run.Plan, 12)
			changes := r.added(t, end)
			changes = changes[slices.IndexFunc(changes, func(c events.DynamoDBEventRecord) bool {
				return strings.Contains(c.Change.NewImage["record"].String(), end.ID)
			}):][:1]
			// The bus takes the first request alone, then nothing.
			r.events.Answers(func(n int, _ []bustest.Event) (int, []string, bool) {
				if n == 1 {
					return 0, nil, false
				}
				return http.StatusInternalServerError, nil, false
			})
			faults := &storagetest.Faults{}
			// Every request from the nth on fails: the invocation dies there.
			seen := 0
			faults.Choose = func(string) storagetest.Fault {
				if seen++; seen >= nth && seen < nth+4 {
					return storagetest.Fault{Kind: kind}
				}
				return storagetest.Fault{}
			}
			failing := r.over(env.WithRole(function).WithFaults(faults))
			for range 3 { // Lambda repeats what was not done
				if r.tell(t, failing, changes...) == 1 {
					break
				}
			}
			r.events.Answers(nil)
			for range 12 { // until a lease is over
				if _, err := r.minute(t, failing); err == nil && len(r.waiting(t)) == 0 {
					break
				}
			}
			if got := r.sent(t); !slices.Equal(got, of(end, 12)) {
				t.Fatalf("fault %d from request %d on: %d of 13 events", kind, nth, len(got))
			}
			if list := r.waiting(t); len(list) != 0 {
				t.Fatalf("fault %d from request %d on: parked %+v", kind, nth, list)
			}
			if seen < nth {
				break // the fault came too late to matter
			}
		}
	}
}

// TestRepeatedAndReorderedRecordsAreTheSameEvents delivers a batch in another order, and
// again.
func TestRepeatedAndReorderedRecordsAreTheSameEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	end, start := record(r.completed(t, run.Apply, 3), run.Apply, 3), queued()
	changes := r.added(t, start, end)
	backwards := slices.Clone(changes)
	slices.Reverse(backwards)
	for _, list := range [][]events.DynamoDBEventRecord{backwards, changes, changes[:1]} {
		if got := r.tell(t, r.publisher, list...); got != len(list) {
			t.Fatalf("done with %d of %d records", got, len(list))
		}
	}
	want := append(of(end, 3), start.ID)
	slices.Sort(want)
	if got := r.sent(t); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLostResponseOfTheBusSendsTheSameEventsAgain checks that the repetition has the same
// ids.
func TestLostResponseOfTheBusSendsTheSameEventsAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	start := queued()
	r.events.Answers(func(n int, _ []bustest.Event) (int, []string, bool) { return 0, nil, n == 1 })
	r.tell(t, r.publisher, r.added(t, start)...)
	if got := r.sent(t); !slices.Equal(got, []string{start.ID}) || len(r.events.Events()) != 2 {
		t.Errorf("got %q, %d events", got, len(r.events.Events()))
	}
}

// TestTwoWorkersOfTheScheduleLeaveNothingBehind lets another worker finish a parked record
// while the first one works on it.
func TestTwoWorkersOfTheScheduleLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	start := queued()
	r.events.Answers(func(int, []bustest.Event) (int, []string, bool) { return http.StatusInternalServerError, nil, false })
	r.tell(t, r.publisher, r.added(t, start)...)
	second := r.over(r.Env.WithRole(function))
	r.events.Answers(func(n int, _ []bustest.Event) (int, []string, bool) {
		if n == 1 { // the first worker's lease ends while it waits for the bus
			for range 6 {
				if _, err := r.minute(t, second); err != nil {
					t.Error(err)
				}
			}
		}
		return 0, nil, false
	})
	_, err := r.minute(t, r.publisher)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.sent(t); !slices.Equal(got, []string{start.ID}) {
		t.Errorf("got %q", got)
	}
	if list := r.waiting(t); len(list) != 0 {
		t.Errorf("parked: %+v", list)
	}
}
