package main

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/infra/storagetest"
	"github.com/opsplane/opsplane/shared/delivery"
	"github.com/opsplane/opsplane/shared/installation"
)

func TestDeliveryHasItsEffectOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := github("a", "push", 0)
	record := r.arrive(t, d, push("infra", born))
	for range 3 {
		if n := invoke(t, r.worker, record); n != 1 {
			t.Fatalf("%d of 1 records done", n)
		}
	}
	if got := r.state(t, d); got.State != delivery.Done || got.Tries != 1 {
		t.Errorf("got %+v", got)
	}
	repo, err := r.facts.repositories.Get(t.Context(), "github", "42", "7")
	if err != nil || repo.Name != "infra" || repo.Owner != "acme" || repo.DefaultBranch != "main" {
		t.Errorf("repository %+v, %v", repo, err)
	}
	i, err := r.facts.installations.Get(t.Context(), "github", "42")
	if err != nil || i.Name != "acme" || i.State != installation.Installed {
		t.Errorf("installation %+v, %v", i, err)
	}
}

func TestPoisonedDeliveryIsParkedAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	bad, good := github("bad", "pull_request", 0), github("good", "push", time.Second)
	records := []events.DynamoDBEventRecord{
		r.arrive(t, bad, `{"installation":{"id":42},"repository":{"id":7`), r.arrive(t, good, push("infra", born)),
	}
	if n := invoke(t, r.worker, records...); n != 2 {
		t.Fatalf("%d of 2 records done", n)
	}
	got := r.state(t, bad)
	if got.State != delivery.Parked || got.Problem == "" || got.NextTry.IsZero() {
		t.Errorf("the bad one: %+v", got)
	}
	if got := r.state(t, good); got.State != delivery.Done {
		t.Errorf("its neighbour: %+v", got)
	}
	r.clock = got.NextTry.Add(time.Second)
	if _, err := r.handle(t.Context(), []byte(`{"source":"aws.events"}`)); err != nil {
		t.Fatal(err)
	}
	if got := r.state(t, bad); got.State != delivery.Parked || got.Tries != 2 {
		t.Errorf("after the schedule: %+v", got)
	}
}

func TestDeliveryThatEndsTheWorkerIsParkedInTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := github("deadly", "push", 0)
	record := r.arrive(t, d, push("infra", born))
	for range maxDeaths { // the process ends right behind the beginning
		if _, err := r.deliveries.Begin(t.Context(), d.Key()); err != nil {
			t.Fatal(err)
		}
	}
	if n := invoke(t, r.worker, record); n != 1 {
		t.Fatalf("%d of 1 records done", n)
	}
	if got := r.state(t, d); got.State != delivery.Parked || !strings.Contains(got.Problem, "ended several times") {
		t.Errorf("got %+v", got)
	}
}

func TestWorkersOwnChangesWakeNobody(t *testing.T) {
	t.Parallel()
	d := github("a", "push", 0)
	image := func(state, redelivered string) map[string]events.DynamoDBAttributeValue {
		m := map[string]events.DynamoDBAttributeValue{"state": events.NewStringAttribute(state)}
		if redelivered != "" {
			m["redelivered"] = events.NewNumberAttribute(redelivered)
		}
		return m
	}
	for _, c := range []struct {
		name        string
		before, now map[string]events.DynamoDBAttributeValue
		want        bool
	}{
		{"arrived", nil, image("received", ""), true},
		{"begun", image("received", ""), image("received", ""), false},
		{"done", image("received", ""), image("done", ""), false},
		{"parked", image("received", ""), image("parked", ""), false},
		{"redelivered when parked", image("parked", ""), image("received", "1"), true},
		{"redelivered while waiting", image("received", "1"), image("received", "2"), true},
		{"begun after a redelivery", image("received", "2"), image("received", "2"), false},
		{"body", nil, map[string]events.DynamoDBAttributeValue{"body": events.NewBinaryAttribute([]byte("x"))}, false},
		{"expired", image("done", ""), nil, false},
	} {
		record := told(d)
		record.Change.OldImage, record.Change.NewImage = c.before, c.now
		if key, got := waiting(record); got != c.want || got && key != d.Key() {
			t.Errorf("%s: wakes %t (%v), want %t", c.name, got, key, c.want)
		}
	}
}

func TestWorkerThatIsKilledAfterAnyCallLosesNothing(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		r := newRig(t)
		d := github("a", "pull_request", 0)
		record := r.arrive(t, d, pull(17, "open", "One", born))
		calls := 0
		faults := &storagetest.Faults{Choose: func(string) storagetest.Fault {
			calls++
			switch {
			case calls > n:
				return storagetest.Fault{Kind: storagetest.Refuse}
			case calls == n:
				return storagetest.Fault{Kind: storagetest.LoseAnswer}
			}
			return storagetest.Fault{}
		}}
		survived := invoke(t, r.over(r.env.WithFaults(faults)), record) == 1 && calls < n
		if !survived {
			if done := invoke(t, r.worker, record); done != 1 {
				t.Fatalf("killed at call %d: the next worker does not end it", n)
			}
		}
		list, err := r.facts.pullRequests.List(t.Context(), "github", "42", listAll)
		if err != nil || len(list) != 1 || list[0].Title != "One" {
			t.Errorf("killed at call %d: %+v, %v", n, list, err)
		}
		if got := r.state(t, d); got.State != delivery.Done {
			t.Errorf("killed at call %d: %+v", n, got)
		}
		if survived {
			if n < 5 {
				t.Errorf("a delivery takes %d calls; some are missing", n-1)
			}
			return
		}
	}
}
