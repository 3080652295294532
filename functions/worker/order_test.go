package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/infra/test/template"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/background/stream"
)

func TestFirstThatCouldNotBeEndedIsHandedBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var records []events.DynamoDBEventRecord
	for i, repository := range []string{"7", "8", "8", "7"} {
		d := about(fmt.Sprint(i), "42", repository, time.Duration(i)*time.Second)
		records = append(records, r.arrive(t, d, push("infra", born)))
	}
	w := r.over(r.Role)
	process := func(p pendingDelivery) error {
		if p.record.Sequence == "1" {
			return errors.New("storage")
		}
		return w.process(t.Context(), &tally{}, w.deliveries.Begin, p.key)
	}
	var changes []stream.Record
	for _, record := range records {
		changes = append(changes, stream.Of(record))
	}
	list := arrivals(changes)
	got, err := handedBack(list, queue.InOrder(t.Context(), list, maxParallel, pendingDelivery.part, process))
	if len(got.BatchItemFailures) != 1 || got.BatchItemFailures[0].ItemIdentifier != "1" || err == nil {
		t.Errorf("handed back %v, %v", got.BatchItemFailures, err)
	}
	for id, want := range map[string]delivery.State{"0": delivery.Done, "1": delivery.Received, "2": delivery.Received, "3": delivery.Done} {
		if d, err := r.deliveries.Get(t.Context(), "github", id); err != nil || d.State != want {
			t.Errorf("delivery %s is %s, %v, want %s", id, d.State, err, want)
		}
	}
}

// TestOneInvocationAtATimeReadsAShard checks that the template has the settings
// that the order of a repository's deliveries depends on.
func TestOneInvocationAtATimeReadsAShard(t *testing.T) {
	t.Parallel()
	root, err := template.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := template.Load(root+"/template.yaml", template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	streams := tpl.Function("WorkerFunction").Streams
	if len(streams) != 1 || streams[0].Table != "DeliveriesTable" || streams[0].ParallelizationFactor != 1 || !streams[0].ReportsBatchFailures {
		t.Errorf("got %+v", streams)
	}
}
