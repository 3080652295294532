package main

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/bustest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/run"
)

// TestRunOfThousandsOfDirspacesIsSentInFullRequests sends a run that is stored in chunks.
func TestRunOfThousandsOfDirspacesIsSentInFullRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := storagetest.Sample(5000, 1200)
	end := record(r.completed(t, run.Plan, n), run.Plan, n)
	if got := r.tell(t, r.publisher, r.added(t, end)...); got != 1 {
		t.Fatalf("done with %d of 1 records", got)
	}
	if got, want := r.sent(t), of(end, n); !slices.Equal(got, want) {
		t.Errorf("%d events, want %d", len(got), len(want))
	}
	if requests := r.events.Requests(); len(requests) != (n+1+9)/10 {
		t.Errorf("%d events in %d requests", n+1, len(requests))
	}
	if got := r.waiting(t); len(got) != 0 {
		t.Errorf("parked: %+v", got)
	}
}

// TestBatchOfLargeRunsIsSentInParts checks that the function sends the events of some
// records before it reads the runs of others. So what it holds does not grow with the batch.
func TestBatchOfLargeRunsIsSentInParts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const n = 600
	id := r.completed(t, run.Plan, n)
	ends := []audit.Record{record(id, run.Plan, n), record(id, run.Plan, n), record(id, run.Plan, n), record(id, run.Plan, n)}
	var reads, readFirst atomic.Int64
	counting := r.over(r.Env.WithRole(function).WithFaults(&storagetest.Faults{Choose: func(operation string) storagetest.Fault {
		if operation == "GetItem" {
			reads.Add(1)
		}
		return storagetest.Fault{}
	}}))
	refused := ends[2].ID + "-300"
	r.events.Answers(func(_ int, list []bustest.Event) (int, []string, bool) {
		readFirst.CompareAndSwap(0, reads.Load())
		codes := make([]string, len(list))
		for i, e := range list {
			if strings.Contains(string(e.Detail), `"`+refused+`"`) {
				codes[i] = "NotAuthorizedForDetailTypeException"
			}
		}
		return 0, codes, false
	})
	if got := r.tell(t, counting, r.added(t, ends...)...); got != len(ends) {
		t.Fatalf("done with %d of %d records", got, len(ends))
	}
	if got := readFirst.Load(); got != 2 {
		t.Errorf("%d runs were read before the first request to the bus, want 2", got)
	}
	if got := len(r.sent(t)); got != len(ends)*(n+1)-1 {
		t.Errorf("%d events, want %d", got, len(ends)*(n+1)-1)
	}
	if list := r.waiting(t); len(list) != 1 || list[0].Record.ID != ends[2].ID || list[0].Next != 301 {
		t.Errorf("parked: %+v", list)
	}
}

// TestOnlyEntriesThatTheBusRefusedAreSentAgain lets the bus refuse some of each request for
// a time.
func TestOnlyEntriesThatTheBusRefusedAreSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	end := record(r.completed(t, run.Apply, 9), run.Apply, 9)
	r.events.Answers(func(n int, _ []bustest.Event) (int, []string, bool) {
		return 0, [][]string{1: {"", "ThrottlingException", "", "InternalFailure"}, 2: {"InternalException"}, 3: nil}[n], false
	})
	r.tell(t, r.publisher, r.added(t, end)...)
	if got, want := r.events.Requests(), []int{10, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("requests of %v entries, want %v", got, want)
	}
	if got := r.sent(t); !slices.Equal(got, of(end, 9)) || len(r.events.Events()) != 10 {
		t.Errorf("got %q", got)
	}
}

// TestEventsThatTheBusDoesNotTakeAreParkedAndSentLater follows a record until the bus takes
// its events. The other records of the batch are sent.
func TestEventsThatTheBusDoesNotTakeAreParkedAndSentLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	end, start := record(r.completed(t, run.Plan, 25), run.Plan, 25), queued()
	refused := end.ID + "-12"
	refuse := func(_ int, list []bustest.Event) (int, []string, bool) {
		codes := make([]string, len(list))
		for i, e := range list {
			if strings.Contains(string(e.Detail), `"`+refused+`"`) {
				codes[i] = "NotAuthorizedForDetailTypeException"
			}
		}
		return 0, codes, false
	}
	r.events.Answers(refuse)
	if got := r.tell(t, r.publisher, r.added(t, end, start)...); got != 2 {
		t.Fatalf("done with %d of 2 records", got)
	}
	if got := r.sent(t); len(got) != 26 || slices.Contains(got, refused) {
		t.Errorf("sent %d events", len(got))
	}
	list := r.waiting(t)
	if len(list) != 1 || list[0].Record.ID != end.ID || list[0].Next != 13 || !strings.Contains(list[0].Problem, "NotAuthorizedForDetailType") {
		t.Fatalf("parked: %+v", list)
	}
	// It is tried again, and at last waits for an operator.
	for hours := 0; ; hours++ {
		got, err := r.minute(t, r.publisher)
		if err != nil {
			t.Fatal(err)
		}
		if got.Stuck > 0 {
			break
		}
		if hours > 60 {
			t.Fatalf("not stuck: %+v", r.waiting(t))
		}
		r.Clock.Add(time.Hour)
	}
	if list = r.waiting(t); len(list) != 1 || !list[0].Due.IsZero() || list[0].Tries != 18 {
		t.Fatalf("stuck: %+v", list)
	}
	r.Clock.Add(24 * time.Hour)
	if got, err := r.minute(t, r.publisher); err != nil || got.Stuck != 1 || got.Parked != 0 {
		t.Errorf("what is stuck was tried again: %+v, %v", got, err)
	}
	r.events.Answers(nil)
	if err := r.parked.Retry(t.Context(), list[0], r.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	if got, err := r.minute(t, r.publisher); err != nil || got != (done{Sent: 13}) {
		t.Errorf("after the operator's command: %+v, %v", got, err)
	}
	want := append(of(end, 25), start.ID)
	slices.Sort(want)
	if got := r.sent(t); !slices.Equal(got, want) {
		t.Errorf("%d events, want %d", len(got), len(want))
	}
	if list = r.waiting(t); len(list) != 0 {
		t.Errorf("parked: %+v", list)
	}
}

// TestBusThatDoesNotWorkHoldsUpNothing checks that all records of a batch are parked, and
// sent together a minute later.
func TestBusThatDoesNotWorkHoldsUpNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, second := queued(), queued()
	r.events.Answers(func(int, []bustest.Event) (int, []string, bool) { return http.StatusServiceUnavailable, nil, false })
	if got := r.tell(t, r.publisher, r.added(t, first, second)...); got != 2 {
		t.Fatalf("done with %d of 2 records", got)
	}
	r.events.Answers(nil)
	if got, err := r.minute(t, r.publisher); err != nil || got != (done{Sent: 2}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got := r.events.Requests(); !slices.Equal(got, []int{2}) {
		t.Errorf("requests of %v entries, want one of 2", got)
	}
}

// TestEventsOfARunThatIsGoneAreThoseOfTheRun covers a run that is removed before its events
// are sent.
func TestEventsOfARunThatIsGoneAreThoseOfTheRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	end := record(run.NewID(), run.Plan, 3)
	r.tell(t, r.publisher, r.added(t, end)...)
	if got := r.sent(t); !slices.Equal(got, []string{end.ID}) {
		t.Errorf("got %q", got)
	}
}

// TestChangesOfRecordsHaveNoEvents covers what somebody does with AWS credentials, and
// records that cannot be read.
func TestChangesOfRecordsHaveNoEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	changes := r.added(t, queued(), queued(), queued())
	changes[0].Change.OldImage = changes[0].Change.NewImage // replaced
	changes[1].Change.OldImage, changes[1].Change.NewImage = changes[1].Change.NewImage, nil
	delete(changes[2].Change.NewImage, "record")
	if got := r.tell(t, r.publisher, changes...); got != 3 || len(r.events.Events()) != 0 {
		t.Errorf("done with %d records, %d events", got, len(r.events.Events()))
	}
	if !strings.Contains(r.Log.String(), "a record cannot be read") {
		t.Errorf("the log says nothing of the record that cannot be read: %s", &r.Log)
	}
}
