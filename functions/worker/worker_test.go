package main

import (
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/stream"
	"github.com/opsplane/opsplane/shared/vcs/installation"
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
		if key, _, got := delivery.Wakes(stream.Of(record)); got != c.want || got && key != d.Key() {
			t.Errorf("%s: wakes %t (%v), want %t", c.name, got, key, c.want)
		}
	}
}
