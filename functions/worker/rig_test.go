package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

var born = time.UnixMilli(4_000_000_000_000).UTC()

var author = change.Author{Principal: "test", Request: "1", At: born}

const function = "WorkerFunction"

// rig is a worker over its own tables.
type rig struct {
	*functiontest.Rig
	*worker
	// The stores of the test, which also writes and reads what the worker may not.
	deliveries delivery.Store
	facts      facts
}

func newRig(t *testing.T) *rig { return rigOn(functiontest.New(t, function)) }

func rigOn(of *functiontest.Rig) *rig {
	r := &rig{Rig: of}
	r.Clock.Set(born)
	r.worker = r.over(r.Role)
	tests := r.over(r.Env)
	r.deliveries, r.facts = tests.deliveries, tests.facts
	return r
}

// patience is the share of a delivery in tests that are not about time: on a busy
// machine, the local servers can take longer than the worker allows.
const patience = time.Hour

// over returns a worker of the rig whose calls go through another env.
func (r *rig) over(env *storagetest.Env) *worker {
	system := env.Table("VcsTable")
	return &worker{
		deliveries: delivery.Store{DB: env.DynamoDB, Table: env.Table("DeliveriesTable")},
		facts: facts{
			installations: installation.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")},
			repositories:  repository.Store{DB: env.DynamoDB, Table: system},
			pullRequests:  pullrequest.Store{DB: env.DynamoDB, Table: system},
			tasks:         task.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")},
			runs: runstore.Store{
				DB: env.DynamoDB, Table: env.Table("RunsTable"),
				Limits: runstore.Limits{Keep: 400 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour},
			},
			lanes: lane.Store{DB: env.DynamoDB, Table: env.Table("EvaluationTable")},
			now:   r.Clock.Now,
		},
		log: r.Logger(), now: r.Clock.Now, share: patience,
	}
}

// arrive stores a delivery and returns the stream record that reports it.
func (r *rig) arrive(t *testing.T, d delivery.Delivery, body string) events.DynamoDBEventRecord {
	t.Helper()
	if _, err := r.deliveries.Accept(t.Context(), d, []byte(body)); err != nil {
		t.Fatal(err)
	}
	return told(d)
}

func told(d delivery.Delivery) events.DynamoDBEventRecord {
	text := events.NewStringAttribute
	image := map[string]events.DynamoDBAttributeValue{"state": text("received")}
	if d.Repository != "" {
		image["repository"] = text(string(d.Repository))
	}
	return events.DynamoDBEventRecord{EventName: "INSERT", Change: events.DynamoDBStreamRecord{
		Keys:           map[string]events.DynamoDBAttributeValue{"pk": text(d.Key().Lane), "sk": text(d.Key().Place)},
		NewImage:       image,
		SequenceNumber: d.ID,
	}}
}

// invoke gives records to a worker, as Lambda does, and returns how many it
// processed.
func invoke(t *testing.T, w *worker, records ...events.DynamoDBEventRecord) (done int) {
	t.Helper()
	return functiontest.Stream(t.Context(), t, w.handle, records...)
}

func github(id, event string, after time.Duration) delivery.Delivery {
	return delivery.Delivery{
		ID: id, Event: event, Installation: vcs.Installation{VCS: "github", ID: "42"}, Repository: "7", ReceivedAt: born.Add(after),
	}
}

// push returns the body of a push to the repository of an installation.
func push(name string, at time.Time) string {
	return fmt.Sprintf(`{"installation":{"id":42},"repository":{"id":7,"name":%q,"owner":{"login":"acme"},"default_branch":"main","pushed_at":%d}}`,
		name, at.Unix())
}

func (r *rig) state(t *testing.T, d delivery.Delivery) delivery.Delivery {
	t.Helper()
	got, err := r.deliveries.Get(t.Context(), d.Installation.VCS, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func gitlab(id, event string, after time.Duration) delivery.Delivery {
	return delivery.Delivery{
		ID: id, Event: event, Installation: vcs.Installation{VCS: "gitlab", ID: "77"}, Repository: "501", ReceivedAt: born.Add(after),
	}
}
