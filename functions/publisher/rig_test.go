package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/bustest"
	"github.com/opsplane/opsplane/infra/test/eventschema"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/event/bus"
	"github.com/opsplane/opsplane/shared/event/parked"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

const function = "PublisherFunction"

var infraRepository = vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7")

// rig is the function over its own storage, with its role, and a bus.
type rig struct {
	*functiontest.Rig
	*publisher
	events *bustest.Bus
	url    string
	runs   runstore.Store // without a role
	trail  *storagetest.Changes
}

func newRig(t testing.TB) *rig { return newRigOn(t, storagetest.New(t)) }

func newRigOn(t testing.TB, env *storagetest.Env) *rig {
	r := &rig{Rig: functiontest.On(env, function), runs: runsOver(env)}
	r.events, r.url = bustest.New(t, storagetest.EventBus)
	r.publisher = r.over(r.Role)
	r.trail = &storagetest.Changes{Table: env.Table("AuditTable"), At: functiontest.Start}
	return r
}

func runsOver(env *storagetest.Env) runstore.Store {
	return runstore.Store{
		DB: env.DynamoDB, Table: env.Table("RunsTable"),
		Limits: runstore.Limits{Keep: 24 * time.Hour, Start: time.Minute, Report: time.Hour},
	}
}

// over returns the function with the clients of an environment, whose role also decides
// about the bus.
func (r *rig) over(env *storagetest.Env) *publisher {
	return &publisher{
		bus: bus.Bus{
			Client: eventbridge.NewFromConfig(env.Config, func(o *eventbridge.Options) { o.BaseEndpoint = aws.String(r.url) }),
			Name:   storagetest.EventBus, Pause: func(int) time.Duration { return 0 },
		},
		runs:   runsOver(env),
		parked: parked.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")},
		log:    r.Logger(), now: r.Clock.Now,
	}
}

func (r *rig) author() change.Author {
	return change.Author{Principal: "ann", Credential: "key", Source: "192.0.2.1", Request: uuid.NewString(), At: r.Clock.Now()}
}

// completed makes a run with n dirspaces that has ended, and returns its id.
func (r *rig) completed(t testing.TB, of run.Type, n int) run.ID {
	t.Helper()
	c := runstore.Creation{
		Spec: run.Spec{
			ID: run.NewID(), Repository: infraRepository, Owner: "acme", Name: "infra", Type: of, Kind: run.Kind{Name: run.PullRequest, Number: 17},
			Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"}, Environment: "production", User: "Ann", Principal: "ann",
		},
		Token: runstore.Token{Hash: []byte("h"), Sealed: []byte("s")}, Manifest: runstore.Manifest{Body: []byte("{}")},
	}
	result := run.Result{Success: true, Steps: n, Payload: "results/x"}
	for i := range n {
		c.Spec.Dirspaces = append(c.Spec.Dirspaces, run.Dirspace{Dir: "net", Workspace: fmt.Sprintf("%05d", i)})
		result.Outcomes = append(result.Outcomes, run.HasResult|run.Succeeded|run.HasChanges)
	}
	if _, err := r.runs.Create(t.Context(), c, r.author()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.runs.Complete(t.Context(), c.Spec.ID, result, r.author()); err != nil {
		t.Fatal(err)
	}
	return c.Spec.ID
}

// record returns the record of the end of a run.
func record(id run.ID, of run.Type, n int) audit.Record {
	return audit.Record{
		ID: strings.ReplaceAll(uuid.NewString(), "-", ""), At: functiontest.Start, Action: "run.complete", Actor: audit.Actor{ID: "run:" + string(id)},
		VCS: vcs.GitHub, Installation: "42", Subject: string(id),
		After: map[string]any{
			"state": "completed", "repository": "7", "owner": "acme", "name": "infra", "type": string(of), "kind": "pr", "pull_number": 17,
			"base_branch": "main", "branch": "feature", "commit": "bb", "environment": "production", "user": "Ann", "dirspaces": n,
			"success": true, "failed": 0, "changed": n, "destroying": 0,
		},
	}
}

// queued returns the record of a run that was queued.
func queued() audit.Record {
	r := record(run.NewID(), run.Plan, 1)
	r.Action = "run.create"
	for _, name := range []string{"success", "failed", "changed", "destroying"} {
		delete(r.After, name)
	}
	r.After["state"] = "queued"
	return r
}

// added puts records into the trail, and returns the changes that its stream shows.
func (r *rig) added(t testing.TB, records ...audit.Record) []events.DynamoDBEventRecord {
	t.Helper()
	trail := audit.Store{DB: r.Env.DynamoDB, Table: r.Env.Table("AuditTable"), Keep: time.Hour}
	for _, one := range records {
		if _, err := trail.Put(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	changes, err := r.trail.Since(t.Context(), r.Env.DynamoDB)
	if err != nil {
		t.Fatal(err)
	}
	for i := range changes {
		changes[i].EventName = "INSERT"
	}
	return changes
}

// tell gives the function changes, as Lambda does, and returns how many it is done with.
func (r *rig) tell(t testing.TB, p *publisher, changes ...events.DynamoDBEventRecord) int {
	t.Helper()
	return functiontest.Stream(t.Context(), t, p.handle, changes...)
}

// minute lets a minute pass, and wakes the function as the schedule does.
func (r *rig) minute(t testing.TB, p *publisher) (done, error) {
	t.Helper()
	r.Clock.Add(time.Minute)
	answer, err := p.handle(t.Context(), []byte(`{"source":"aws.events"}`))
	return answer.(done), err
}

// sent returns the ids of the events that the bus has taken, without repetitions, in
// order. It checks each against its schema, and that repetitions are the same event.
func (r *rig) sent(t testing.TB) []string {
	t.Helper()
	known := map[string]string{}
	for _, e := range r.events.Events() {
		var head struct{ ID, Type string }
		if err := json.Unmarshal(e.Detail, &head); err != nil {
			t.Fatal(err)
		}
		eventschema.Check(t, e.Detail)
		if e.Source != "opsplane" || e.DetailType != head.Type {
			t.Errorf("%s is sent as %s by %s", head.Type, e.DetailType, e.Source)
		}
		if was, twice := known[head.ID]; twice && was != string(e.Detail) {
			t.Errorf("two events have the id %s:\n%s\n%s", head.ID, was, e.Detail)
		}
		known[head.ID] = string(e.Detail)
	}
	var ids []string
	for id := range known {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// of returns the ids of the events of a record of a run with n dirspaces.
func of(r audit.Record, n int) []string {
	ids := []string{r.ID}
	for i := range n {
		ids = append(ids, r.ID+"-"+strconv.Itoa(i))
	}
	slices.Sort(ids)
	return ids
}

// waiting returns what is parked.
func (r *rig) waiting(t testing.TB) []parked.Parked {
	t.Helper()
	list, err := parked.Store{DB: r.Env.DynamoDB, Table: r.Env.Table("OperationsTable")}.List(context.WithoutCancel(t.Context()), r.Clock.Now(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
