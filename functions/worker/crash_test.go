package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

// invokeAs invokes a worker with a request id. All that the worker changes holds
// this id.
func invokeAs(t *testing.T, w *worker, request string, event json.RawMessage) {
	t.Helper()
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: request})
	_, _ = w.handle(ctx, event) // the tables show what was not done
}

// left returns all items that deliveries have left, by their keys.
func (r *rig) left(t *testing.T) map[string]attr.Item {
	t.Helper()
	all := map[string]attr.Item{}
	for _, table := range []string{"VcsTable", "OperationsTable"} {
		out, err := r.Env.DynamoDB.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(r.Env.Table(table)), ConsistentRead: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range out.Items {
			k := attr.Read(item)
			all[k.String("pk")+" "+k.String("sk")] = item
		}
	}
	return all
}

// same reports whether two items are equal, except for their author.
func same(a, b attr.Item) bool {
	a, b = maps.Clone(a), maps.Clone(b)
	delete(a, change.AttrRequest)
	delete(b, change.AttrRequest)
	return reflect.DeepEqual(a, b)
}

// killedAt makes every call from the n-th on fail. The response of the n-th call is
// lost. The later calls are not made. calls counts them.
func killedAt(n int, calls *atomic.Int32) *storagetest.Faults {
	return &storagetest.Faults{Choose: func(string) storagetest.Fault {
		switch c := int(calls.Add(1)); {
		case c > n:
			return storagetest.Fault{Kind: storagetest.Refuse}
		case c == n:
			return storagetest.Fault{Kind: storagetest.LoseAnswer}
		}
		return storagetest.Fault{}
	}}
}

// crash is a delivery, and the invocations that process it.
type crash struct {
	d    delivery.Delivery
	body string
	// swept says that the schedule wakes the workers, and not the stream.
	swept bool
	// broken says that the workers cannot store facts, so the delivery is parked.
	broken bool
	want   delivery.State
	calls  int // minimum
}

// TestWorkerThatIsKilledAfterAnyCallLosesNothingAndDoesNothingTwice kills the
// worker at each of its calls, one after the other, and wakes the next one.
func TestWorkerThatIsKilledAfterAnyCallLosesNothingAndDoesNothingTwice(t *testing.T) {
	t.Parallel()
	const merge = `{"object_kind":"merge_request","user":{"username":"ann"},"project":{"id":501,"path_with_namespace":"acme/infra","visibility_level":0,"default_branch":"main"},
		"object_attributes":{"iid":3,"action":"open","state":"opened","title":"One","source_branch":"topic","target_branch":"main","updated_at":"2026-11-03T13:00:00Z","last_commit":{"id":"aa"}}}`
	for name, c := range map[string]crash{
		"pull request":            {d: github("a", "pull_request", 0), body: pull(17, "open", "One", born), want: delivery.Done, calls: 5},
		"merge request":           {d: gitlab("77.a", "Merge Request Hook", 0), body: merge, want: delivery.Done, calls: 5},
		"pull request, swept":     {d: github("a", "pull_request", 0), body: pull(17, "open", "One", born), want: delivery.Done, calls: 10, swept: true},
		"merge request, swept":    {d: gitlab("77.a", "Merge Request Hook", 0), body: merge, want: delivery.Done, calls: 10, swept: true},
		"command":                 {d: github("a", "issue_comment", 0), body: said(5, "terrateam plan", born), want: delivery.Done, calls: 4},
		"push":                    {d: github("a", "push", 0), body: pushTo("main", 0), want: delivery.Done, calls: 4},
		"one that is parked":      {d: github("a", "push", 0), body: push("infra", born), want: delivery.Parked, calls: 4, broken: true},
		"one that is parked too":  {d: github("a", "push", 0), body: push("infra", born), want: delivery.Parked, calls: 9, broken: true, swept: true},
		"one that is stuck":       {d: gitlab("77.a", "Push Hook", 0), body: `{"project":`, want: delivery.Parked, calls: 4},
		"one that states nothing": {d: github("a", "star", 0), body: `{"action":"created"}`, want: delivery.Ignored, calls: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reference, asked := c.undisturbed(t)
			for n := 1; ; n++ {
				if n > 60 {
					t.Fatal("it takes more and more calls")
				}
				if c.killed(t, n, reference, asked) {
					if n <= c.calls {
						t.Errorf("it takes %d calls; some are missing", n-1)
					}
					return
				}
			}
		})
	}
}

// arrive stores the delivery in a new rig, where GitLab's group is pending. It
// returns the event that wakes a worker.
func (c crash) arrive(t *testing.T) (*rig, json.RawMessage) {
	t.Helper()
	r := newRig(t)
	if _, err := r.facts.installations.Save(t.Context(), author, installation.Installation{VCS: "gitlab", ID: "77", Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	record := r.arrive(t, c.d, c.body)
	if c.swept {
		r.Clock.Set(born.Add(time.Hour))
		return r, wake
	}
	event, err := json.Marshal(events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{record}})
	if err != nil {
		t.Fatal(err)
	}
	return r, event
}

// undisturbed returns what the delivery leaves, and what it asks to evaluate, if no
// worker is killed.
func (c crash) undisturbed(t *testing.T) (left map[string]attr.Item, asked []string) {
	t.Helper()
	r, event := c.arrive(t)
	invokeAs(t, c.worker(r, new(storagetest.Faults)), "only", event)
	c.ended(t, r, "undisturbed")
	return r.left(t), r.asked(t, c.d)
}

func (c crash) worker(r *rig, f *storagetest.Faults) *worker {
	w := r.over(r.Role.WithFaults(f))
	if c.broken { // no role names such a table
		w.facts.installations.DB, w.facts.installations.Table = r.Env.WithFaults(f).DynamoDB, "no-such-table"
	}
	return w
}

func (c crash) ended(t *testing.T, r *rig, when string) {
	t.Helper()
	if got := r.state(t, c.d); got.State != c.want || got.Begun != 0 {
		t.Errorf("%s: got %+v, want %s", when, got, c.want)
	}
}

// killed kills the first worker at its n-th call, and reports whether the worker
// made fewer calls.
func (c crash) killed(t *testing.T, n int, reference map[string]attr.Item, asked []string) bool {
	t.Helper()
	r, event := c.arrive(t)
	var calls atomic.Int32
	invokeAs(t, c.worker(r, killedAt(n, &calls)), "first", event)
	before := r.left(t)
	r.Clock.Add(delivery.Lease)
	invokeAs(t, c.worker(r, new(storagetest.Faults)), "second", event)
	when := fmt.Sprintf("killed at call %d", n)
	if c.want != delivery.Parked || !c.swept { // a parked delivery may have been due again
		c.ended(t, r, when)
	} else if got := r.state(t, c.d); got.State != delivery.Parked {
		t.Errorf("%s: %+v", when, got)
	}
	after := r.left(t)
	for key, want := range reference {
		if !same(after[key], want) {
			t.Errorf("%s: %s is %v, want %v", when, key, after[key], want)
		}
		// The second worker does not write again what the first one had finished.
		if same(before[key], want) && !reflect.DeepEqual(before[key], after[key]) {
			t.Errorf("%s: %s is written twice", when, key)
		}
	}
	if got := r.asked(t, c.d); !slices.Equal(got, asked) {
		t.Errorf("%s: asked for %q, want %q", when, got, asked)
	}
	if len(after) != len(reference) {
		t.Errorf("%s: %d items, want %d", when, len(after), len(reference))
	}
	return int(calls.Load()) < n
}

// TestRedeliveryThatIsKilledAfterAnyCallIsProcessedInTheEnd kills the operator's
// command at each of its calls, one after the other. Then the command is repeated,
// or not, and the scheduled worker runs.
func TestRedeliveryThatIsKilledAfterAnyCallIsProcessedInTheEnd(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		r := newRig(t)
		d := github("a", "push", 0)
		record := r.arrive(t, d, push("infra", born))
		invoke(t, r.failing(), record)
		var calls atomic.Int32
		operator := r.over(r.Env.WithFaults(killedAt(n, &calls))).deliveries
		_, err := operator.Redeliver(t.Context(), "github", "a", r.Clock.Now())
		if err != nil && n%2 == 0 { // every second time the operator repeats it
			if _, err := r.deliveries.Redeliver(t.Context(), "github", "a", r.Clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
		r.Clock.Add(7 * time.Hour) // the stream wakes nobody
		if r.sweepOnce(t, r.worker); r.state(t, d).State != delivery.Done {
			t.Errorf("killed at call %d: %+v", n, r.state(t, d))
		}
		if int(calls.Load()) < n {
			if n < 4 {
				t.Errorf("a redelivery takes %d calls; some are missing", n-1)
			}
			return
		}
	}
}
