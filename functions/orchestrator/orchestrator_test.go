package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/template"
	"github.com/opsplane/opsplane/shared/background/stream"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestRequestsAreEvaluatedWhenTheStreamShowsThem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ask(t, "7", 1)
	r.ask(t, "7", 2)
	r.ask(t, "8", 1)
	if back := r.show(t); back != 0 {
		t.Errorf("%d records were given back", back)
	}
	slices.Sort(r.decided)
	if want := []string{"7 pull#1", "7 pull#2", "8 pull#1"}; !slices.Equal(r.decided, want) {
		t.Errorf("decided about %v, want %v", r.decided, want)
	}
	if n := r.waiting(t); n != 0 {
		t.Errorf("%d lanes still wait", n)
	}
}

func TestRequestThatTheStreamDoesNotShowIsEvaluatedByTheSchedule(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ask(t, "7", 1)
	if got := r.minute(t); got != (done{Lanes: 1}) || len(r.decided) != 1 {
		t.Errorf("got %+v, decided about %v", got, r.decided)
	}
	if got := r.minute(t); got != (done{}) {
		t.Errorf("then got %+v", got)
	}
}

func TestLaneThatFailsKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.during = func(of vcs.Repository) error {
		if of.ID == "7" {
			return errHost
		}
		return nil
	}
	r.ask(t, "7", 1)
	r.ask(t, "7", 2)
	r.ask(t, "8", 1)
	if back := r.show(t); back != 1 {
		t.Errorf("%d records were given back, want the first of the lane that failed", back)
	}
	if got := r.minute(t); got.Failed != 1 || !strings.Contains(r.Log.String(), errHost.Error()) {
		t.Errorf("got %+v, and the log says %s", got, r.Log.String())
	}
	if metric := `"Metrics":[{"Name":"failed","Unit":"Count"}]`; !strings.Contains(r.Log.String(), metric) {
		t.Errorf("the log has no metric for EvaluationsFailingAlarm: %s", r.Log.String())
	}
	if want := []string{"8 pull#1"}; !slices.Equal(r.decided, want) {
		t.Errorf("decided about %v, want %v", r.decided, want)
	}
	r.during = nil
	for range 4 {
		r.minute(t)
	}
	if len(r.decided) != 3 || r.waiting(t) != 0 {
		t.Errorf("decided about %v; %d lanes wait", r.decided, r.waiting(t))
	}
}

func TestPanicOfAnEvaluationIsAFailureOfItsLane(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.during = func(of vcs.Repository) error {
		if of.ID == "7" {
			panic("a mistake")
		}
		return nil
	}
	r.ask(t, "7", 1)
	r.ask(t, "8", 1)
	if back := r.show(t); back != 1 || len(r.decided) != 1 {
		t.Errorf("%d records were given back; decided about %v", back, r.decided)
	}
	if _, ok, err := r.lanes.Enter(t.Context(), acme.Repository("7"), r.Clock.Now()); !ok || err != nil {
		t.Errorf("the lane is still taken: %v", err)
	}
}

// TestRequestThatFindsItsLaneTakenIsEvaluatedByTheHolder lets a request come when the holder
// has read the lane, and before it leaves. The worker that is woken for it finds the lane
// taken.
func TestRequestThatFindsItsLaneTakenIsEvaluatedByTheHolder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ask(t, "7", 1)
	r.after = func() {
		r.after = nil
		r.ask(t, "7", 2)
		if _, ok, err := r.lanes.Enter(t.Context(), acme.Repository("7"), r.Clock.Now()); ok || err != nil {
			t.Errorf("the lane is not taken: %v", err)
		}
	}
	if back := r.show(t); back != 0 {
		t.Errorf("%d records were given back", back)
	}
	if want := []string{"7 pull#1", "7 pull#2"}; !slices.Equal(r.decided, want) {
		t.Errorf("decided about %v, want %v", r.decided, want)
	}
}

func TestChecksForDriftBecomeRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := r.Clock.Now().Add(10 * time.Minute)
	for _, w := range r.lanes.WriteCheck(acme.Repository("7"), time.Time{}, at) {
		if err := (table.Table{DB: r.Env.DynamoDB, Name: r.lanes.Table}).Transact(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	for range 12 {
		r.minute(t)
		r.show(t)
	}
	if len(r.decided) != 1 || !strings.HasPrefix(r.decided[0], "7 drift#") {
		t.Errorf("decided about %v", r.decided)
	}
}

func TestLaneThatRestsIsLookedAtWhenItsRestIsOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	held, ok, err := r.lanes.Enter(t.Context(), acme.Repository("7"), r.Clock.Now())
	if err != nil || !ok {
		t.Fatal(err)
	}
	if err := held.Postpone(t.Context(), r.Clock.Now().Add(10*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := held.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.ask(t, "7", 1)
	if back := r.show(t); back != 0 || len(r.decided) != 0 {
		t.Errorf("%d records were given back; decided about %v", back, r.decided)
	}
	if got := r.minute(t); got != (done{Taken: 1}) {
		t.Errorf("got %+v", got)
	}
	for range 8 {
		if got := r.minute(t); got != (done{}) {
			t.Errorf("while it rests: %+v", got)
		}
	}
	r.minute(t)
	if len(r.decided) != 1 {
		t.Errorf("decided about %v", r.decided)
	}
}

// TestStreamWakesTheFunctionForRequestsAlone compares the filter of the template with what
// the function takes for a request.
func TestStreamWakesTheFunctionForRequestsAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stack, err := template.Load("../../template.yaml", template.Options{Name: func(logicalID string) string { return logicalID }})
	if err != nil {
		t.Fatal(err)
	}
	filter := stack.Function(function).Streams[0]
	r.ask(t, "7", 1)
	held, ok, err := r.lanes.Enter(t.Context(), acme.Repository("7"), r.Clock.Now())
	if err != nil || !ok {
		t.Fatal(err)
	}
	list, err := held.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.ask(t, "7", 2)
	if _, err := held.Decide(t.Context(), list[0], lane.Decision{At: r.Clock.Now(), Effects: []lane.Effect{{Kind: "comment"}}}); err != nil {
		t.Fatal(err)
	}
	records, err := r.changes.Since(t.Context(), r.Env.DynamoDB)
	if err != nil {
		t.Fatal(err)
	}
	requests, others := 0, 0
	for _, record := range records {
		shown := stream.Of(record)
		_, wakes := lane.Wakes(shown)
		item := attr.Item{}
		for name, value := range shown.New {
			item[name] = value
		}
		if got := filter.Passes(item); got != wakes {
			t.Errorf("%v: the filter passes it: %t, the function takes it for a request: %t", shown.Key, got, wakes)
		}
		if wakes {
			requests++
		} else {
			others++
		}
	}
	if requests != 1 || others < 4 {
		t.Errorf("%d requests and %d others", requests, others)
	}
}
