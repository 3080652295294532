package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/object"
	"github.com/opsplane/opsplane/shared/vcs"
)

const function = "OrchestratorFunction"

var acme = vcs.Installation{VCS: vcs.GitHub, ID: "42"}

// rig is the function over its own storage, with its role. It decides that nothing follows
// from anything; package evaluator has the tests of decisions.
type rig struct {
	*functiontest.Rig
	*orchestrator
	lanes   lane.Store // without a role
	changes storagetest.Changes

	mu      sync.Mutex
	decided []string // names of requests, with their repositories
	// during is called before a lane is evaluated. If it returns an error, nothing is
	// decided.
	during func(vcs.Repository) error
	// after is called after a lane was evaluated, and before it is left.
	after func()
}

func newRig(t testing.TB) *rig { return newRigOn(storagetest.New(t)) }

func newRigOn(env *storagetest.Env) *rig {
	r := &rig{Rig: functiontest.On(env, function), lanes: lanesOver(env)}
	r.changes = storagetest.Changes{Table: r.lanes.Table, At: functiontest.Start}
	r.orchestrator = r.over(r.Role)
	return r
}

func lanesOver(env *storagetest.Env) lane.Store {
	return lane.Store{DB: env.DynamoDB, Table: env.Table("EvaluationTable"), Objects: object.Bucket{Client: env.S3, Name: env.Bucket("RunsBucket")}}
}

// over returns the function over an environment.
func (r *rig) over(env *storagetest.Env) *orchestrator {
	return &orchestrator{lanes: lanesOver(env), begin: func(string) evaluations { return r }, log: r.Logger(), now: r.Clock.Now}
}

// Lane implements evaluations.
func (r *rig) Lane(ctx context.Context, held *lane.Held) error {
	if r.during != nil {
		if err := r.during(held.Repository()); err != nil {
			return err
		}
	}
	list, err := held.Requests(ctx)
	if err != nil {
		return err
	}
	for _, p := range list {
		if _, err := held.Decide(ctx, p, lane.Decision{At: r.Clock.Now()}); err != nil {
			return err
		}
		r.mu.Lock()
		r.decided = append(r.decided, string(p.Repository.ID)+" "+p.Name())
		r.mu.Unlock()
	}
	if _, err := held.Decisions(ctx); err != nil {
		return err
	}
	if r.after != nil {
		r.after()
	}
	return nil
}

func (r *rig) ask(t testing.TB, repository vcs.ID, number int64) {
	t.Helper()
	q := lane.Request{Kind: lane.Pull, Repository: acme.Repository(repository), Number: number, At: r.Clock.Now()}
	if err := r.lanes.Ask(t.Context(), q, r.Clock.Now()); err != nil {
		t.Fatal(err)
	}
}

// show gives the function what the stream shows since the last call. It returns how many
// records it gave back.
func (r *rig) show(t testing.TB) int {
	t.Helper()
	records, err := r.changes.Since(t.Context(), r.Env.DynamoDB)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) == 0 {
		return 0
	}
	return r.send(t, records)
}

func (r *rig) send(t testing.TB, records []events.DynamoDBEventRecord) int {
	t.Helper()
	event, err := json.Marshal(events.DynamoDBEvent{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := r.handle(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	return len(answer.(events.DynamoDBEventResponse).BatchItemFailures)
}

// minute lets a minute pass, and wakes the function as the schedule does.
func (r *rig) minute(t testing.TB) done {
	t.Helper()
	r.Clock.Add(time.Minute)
	answer, err := r.handle(t.Context(), []byte(`{"source":"aws.events"}`))
	if err != nil {
		t.Fatal(err)
	}
	return answer.(done)
}

// waiting returns how many lanes have something due in an hour.
func (r *rig) waiting(t testing.TB) int {
	t.Helper()
	list, err := r.lanes.Due(t.Context(), r.Clock.Now().Add(time.Hour), 100)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

var errHost = errors.New("the host is not available")
