package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/infra/storagetest"
	"github.com/opsplane/opsplane/shared/delivery"
	"github.com/opsplane/opsplane/shared/pullrequest"
	"github.com/opsplane/opsplane/shared/repository"
)

var listAll = pullrequest.Query{Limit: 1000}

// pull is the body of an event about a pull request of the repository.
func pull(number int, state, title string, at time.Time) string {
	merged := ""
	if state == "merged" {
		state, merged = "closed", fmt.Sprintf(`"merged":true,"merged_at":%q,"merge_commit_sha":"cc",`, at.Format(time.RFC3339))
	}
	return fmt.Sprintf(`{"installation":{"id":42},"repository":{"id":7,"name":"infra","owner":{"login":"acme"},"default_branch":"main","updated_at":%q},
		"pull_request":{"number":%d,"state":%q,"title":%q,%s"user":{"login":"ann"},"updated_at":%[1]q,
		"base":{"ref":"main","sha":"aa"},"head":{"ref":"topic","sha":"bb"}}}`, at.Format(time.RFC3339), number, state, title, merged)
}

// aDay is what happens at one busy repository, in order: several things in
// most seconds.
func aDay(n int, random *rand.Rand) (list []delivery.Delivery, bodies map[string]string) {
	bodies = map[string]string{}
	at, numbers, ended := born, 0, map[int]bool{}
	for i := range n {
		if random.IntN(3) == 0 {
			at = at.Add(time.Second)
		}
		d := github(fmt.Sprintf("%05d", i), "pull_request", time.Duration(i)*time.Millisecond)
		number := 1 + random.IntN(numbers+1)
		numbers = max(numbers, number)
		switch what := random.IntN(10); {
		case what == 0:
			d.Event = "push"
			bodies[d.ID] = push("infra", at)
		case what == 1:
			d.Event = "star"
			bodies[d.ID] = `{"action":"created"}`
		case what < 4 && !ended[number]:
			ended[number] = true
			at = at.Add(time.Second)
			bodies[d.ID] = pull(number, "merged", "last", at)
			at = at.Add(time.Second)
		case !ended[number]:
			bodies[d.ID] = pull(number, "open", fmt.Sprint("title ", i), at)
		default:
			bodies[d.ID] = pull(number, "merged", "last", at)
		}
		list = append(list, d)
	}
	return list, bodies
}

// kept is everything that deliveries have left, but for when it was learned.
func (r *rig) kept(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	repositories, err := r.facts.repositories.List(t.Context(), "github", "42", repository.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, repo := range repositories {
		repo.KnownSince = time.Time{}
		all["repository "+repo.ID] = fmt.Sprintf("%+v", repo)
	}
	pulls, err := r.facts.pullRequests.List(t.Context(), "github", "42", listAll)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pulls {
		all[fmt.Sprint("pull ", p.Number)] = fmt.Sprintf("%+v", p)
	}
	return all
}

// TestDayInAnyOrderEndsAsTheUndisturbedOne has a day's deliveries come in
// another order, a tenth of them twice, to workers of which twenty are killed.
// DELIVERIES says how many they are ("make busy-day": 10,000).
func TestDayInAnyOrderEndsAsTheUndisturbedOne(t *testing.T) {
	t.Parallel()
	const batch, deaths = 25, 20
	n := 600
	if text := os.Getenv("DELIVERIES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("DELIVERIES=%s is no number", text)
		}
	}
	const seed = 20261124
	random := rand.New(rand.NewPCG(seed, 1))
	day, bodies := aDay(n, random)

	calm := newRig(t)
	for _, d := range day {
		if done := invoke(t, calm.worker, calm.arrive(t, d, bodies[d.ID])); done != 1 {
			t.Fatal("not done")
		}
	}
	want := calm.kept(t)
	if len(want) < 20 {
		t.Fatalf("a day leaves only %d things", len(want))
	}

	wild := newRig(t)
	random.Shuffle(n, func(i, j int) { day[i], day[j] = day[j], day[i] })
	var records []events.DynamoDBEventRecord
	for i, d := range day {
		records = append(records, wild.arrive(t, d, bodies[d.ID]))
		if random.IntN(10) > 0 {
			continue
		}
		again := day[random.IntN(i+1)]
		records = append(records, told(again)) // the stream repeats itself
		again.ReceivedAt = again.ReceivedAt.Add(time.Hour)
		if fresh, err := wild.deliveries.Accept(t.Context(), again, []byte(bodies[again.ID])); err != nil || fresh {
			t.Fatalf("the host repeats itself: new %t, %v", fresh, err)
		}
	}
	died := 0
	for len(records) > 0 {
		w := wild.worker
		if died < deaths {
			died++
			left := 1 + random.IntN(4*batch)
			w = wild.over(wild.env.WithFaults(&storagetest.Faults{Choose: func(string) storagetest.Fault {
				if left--; left < 0 {
					return storagetest.Fault{Kind: storagetest.Refuse}
				} else if left == 0 {
					return storagetest.Fault{Kind: storagetest.LoseAnswer}
				}
				return storagetest.Fault{}
			}}))
		}
		done := invoke(t, w, records[:min(batch, len(records))]...)
		records = records[done:]
	}
	if died < deaths {
		t.Errorf("only %d workers died", died)
	}
	if got := wild.kept(t); !maps.Equal(got, want) {
		for name := range want {
			if got[name] != want[name] {
				t.Errorf("%s: got %s, want %s", name, got[name], want[name])
			}
		}
	}
	for _, d := range day {
		if got := wild.state(t, d); got.State != delivery.Done && got.State != delivery.Ignored {
			t.Errorf("delivery %s is %s: %s", d.ID, got.State, got.Problem)
		}
	}
}
