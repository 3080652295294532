//go:build unix

package streams

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/template"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs"
)

// worker does the same with each record as the function worker: it begins and ends the
// delivery.
type worker struct {
	function
	store delivery.Store
	t     *testing.T
}

func (w *worker) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	answer, err := w.function.Invoke(ctx, event)
	w.mu.Lock()
	last := w.done[len(w.done)-1]
	w.mu.Unlock()
	key := delivery.Key{Lane: last.Dynamodb.Keys["pk"]["S"].(string), Place: last.Dynamodb.Keys["sk"]["S"].(string)}
	d, beginErr := w.store.Begin(ctx, key, time.Now())
	if beginErr != nil {
		w.t.Errorf("woken for what is not to be begun: %v", beginErr)
		return answer, err
	}
	if d.ID == "parked" && d.Problem == "" {
		_, err = w.store.GiveUp(ctx, d, "once", time.Now())
	} else {
		err = w.store.Finish(ctx, d, delivery.Done, "", time.Now())
	}
	return answer, err
}

// TestWorkerIsWokenByArrivalsAndRedeliveriesAlone checks the template's filter against the real
// stream of the table. There is one invocation for each delivery that is to be processed, and
// none for bodies and for the worker's own writes.
func TestWorkerIsWokenByArrivalsAndRedeliveriesAlone(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	root, err := template.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := template.Load(root+"/template.yaml", template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	source := tpl.Function("WorkerFunction").Streams[0]
	source.BatchSize = 1 // so that each record would be an invocation
	store := delivery.Store{DB: env.DynamoDB, Table: env.StreamedTable("DeliveriesTable")}
	w := &worker{store: store, t: t}
	stop := start(t, &Source{
		Stream: source, TableName: store.Table, FunctionName: "WorkerFunction", Function: w, DynamoDB: env.DynamoDB,
		Streams: dynamodbstreams.NewFromConfig(env.Config, func(o *dynamodbstreams.Options) { o.BaseEndpoint = aws.String(env.DynamoDBURL) }),
		Dir:     t.TempDir(), Report: func(string) {},
	})
	ctx := t.Context()
	accept := func(id string) {
		t.Helper()
		d := delivery.Delivery{ID: id, Event: "push", Installation: vcs.Installation{VCS: "github", ID: "42"}, Repository: "7", ReceivedAt: time.Now().Truncate(time.Millisecond)}
		if _, err := store.Accept(ctx, d, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	await := func(id string, want delivery.State) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			d, err := store.Get(ctx, "github", id)
			if err != nil {
				t.Fatal(err)
			}
			if d.State == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is %s, want %s", id, d.State, want)
			}
		}
	}
	redeliver := func(id string, from delivery.State) {
		t.Helper()
		await(id, from)
		if _, err := store.Redeliver(ctx, "github", id, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	accept("done")
	redeliver("done", delivery.Done)
	w.await(t, 2)
	redeliver("done", delivery.Done) // again
	w.await(t, 3)
	accept("parked")
	redeliver("parked", delivery.Parked)
	w.await(t, 5)
	accept("last") // everything else that could wake the worker comes before it
	got := w.await(t, 6)
	await("last", delivery.Done)
	stop()
	var ids []string
	for _, r := range got {
		ids = append(ids, r.EventName+" "+r.Dynamodb.NewImage["id"]["S"].(string))
	}
	want := []string{"INSERT done", "MODIFY done", "MODIFY done", "INSERT parked", "MODIFY parked", "INSERT last"}
	if !slices.Equal(ids, want) || w.calls != len(want) {
		t.Errorf("%d invocations: %v, want %v", w.calls, ids, want)
	}
}
