package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	storage "github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// runOf creates runs of two repositories of an installation: one that is completed, with
// a plan and outputs, one that is running, and one that waits. No other installation has
// these repositories.
func (r *rig) runOf(t *testing.T, of vcs.Installation) {
	t.Helper()
	ctx, table, bucket := t.Context(), r.Env.Table("RunsTable"), r.Env.Bucket("RunsBucket")
	plans := planstore.Store{DB: r.Env.DynamoDB, Objects: r.Env.S3, Table: table, Bucket: bucket, Keep: r.runs.Limits.Keep}
	outputs := output.New(r.Env.DynamoDB, r.Env.S3, table, bucket)
	d := run.Dirspace{Dir: "a", Workspace: "default"}
	create := func(repository vcs.ID, list ...run.Dirspace) run.ID {
		made, err := r.runs.Create(ctx, runstore.Creation{
			Spec: run.Spec{
				ID: run.NewID(), Repository: of.Repository(repository), Owner: "acme", Name: "infra", Type: run.Plan, Kind: run.Kind{Name: run.Branch},
				Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "main", Commit: "aa"}, Principal: "ann", Dirspaces: list,
			},
			Token: runstore.Token{Hash: []byte("h"), Sealed: []byte("s")}, Manifest: runstore.Manifest{Body: []byte("{}")},
		}, r.author())
		must(t, err)
		return made.Run.ID
	}
	begin := func(repository vcs.ID, id run.ID) {
		claim, ok, err := r.runs.Claim(ctx, of.Repository(repository), 120e9, r.author())
		must(t, err)
		if !ok || claim.ID != id {
			t.Fatalf("claimed %s, %t", claim.ID, ok)
		}
		_, err = r.runs.Dispatched(ctx, claim, runstore.HostRun{ID: "900" + string(repository)}, r.author())
		must(t, err)
		_, err = r.runs.Initiate(ctx, id, runstore.CIJob{Run: "800" + string(repository), Commit: "aa"}, r.author())
		must(t, err)
	}
	first, second := of.ID+"1", of.ID+"2"
	done := create(first, d)
	begin(first, done)
	must(t, plans.Put(ctx, done, d, []byte("a secret plan"), true, r.Clock.Now()))
	steps, err := result.Decode([]byte(`{"steps":[{"step":"tf/plan","success":true,"scope":{"type":"dirspace","dir":"a","workspace":"default"},"payload":{"text":"planned"}}]}`))
	must(t, err)
	stored, err := outputs.Put(ctx, done, steps, r.Clock.Now().Add(r.runs.Limits.Keep))
	must(t, err)
	_, err = r.runs.Complete(ctx, done, run.Result{Outcomes: []run.Outcome{run.HasResult}, Success: true, Steps: 1, Payload: stored.Payload}, r.author())
	must(t, err)
	ended, err := r.runs.Get(ctx, done)
	must(t, err)
	must(t, standing.Store{Table: storage.Table{DB: r.Env.DynamoDB, Name: table}}.Record(ctx, ended, map[run.Dirspace]standing.Outputs{d: {}}, r.Clock.Now().Add(r.runs.Limits.Keep)))
	begin(first, create(first, d, run.Dirspace{Dir: "b", Workspace: "default"}))
	create(second, d)
	changes := changeset.Store{DB: r.Env.DynamoDB, Objects: r.Env.S3, Table: table, Bucket: bucket, Keep: r.runs.Limits.Keep}
	write, err := changes.Write(ctx, changeset.Set{
		Repository: of.Repository(second), Number: 17, Base: "aa", Head: "bb", At: r.Clock.Now(), Stacks: []changeset.Stack{{Name: "default", Paths: [][]string{{"default"}}}},
	})
	must(t, err)
	must(t, storage.Table{DB: r.Env.DynamoDB, Name: table}.Transact(ctx, write))
	_, err = r.runs.Unlock(ctx, of.Repository(second), run.OriginOfBranch("other"), "ann", r.author())
	must(t, err)
	r.evaluated(t, of.Repository(first))
	r.evaluated(t, of.Repository(second))
}

// evaluated gives a repository a lane with a request, a large decision, what is
// remembered, and entries of both lists.
func (r *rig) evaluated(t *testing.T, of vcs.Repository) {
	t.Helper()
	ctx, now := t.Context(), r.Clock.Now()
	for _, comment := range []string{"1", "2"} {
		must(t, r.lanes.Ask(ctx, lane.Request{Kind: lane.Command, Repository: of, Comment: comment, At: now}, now))
	}
	held, ok, err := r.lanes.Enter(ctx, of, now)
	must(t, err)
	if !ok {
		t.Fatal("the lane is taken")
	}
	list, err := held.Requests(ctx)
	must(t, err)
	pull := of.PullRequest(17)
	row, err := r.lanes.Pull(ctx, pull)
	must(t, err)
	row.Body = json.RawMessage("1")
	write, err := r.lanes.WritePull(pull, row)
	must(t, err)
	more := []storage.Write{write}
	if state, err := r.lanes.State(ctx, of); err == nil && state.Version == 0 {
		check := now.Add(24 * time.Hour)
		state.Body, state.Check = json.RawMessage("1"), check
		write, err := r.lanes.WriteState(of, state)
		must(t, err)
		more = append(append(more, write), r.lanes.WriteCheck(of, time.Time{}, check)...)
	}
	for _, l := range []lane.List{lane.Locks, lane.Waiting} {
		entry, err := r.lanes.WriteEntry(l, lane.Entry{PullRequest: pull, Since: now, Body: json.RawMessage("1")})
		must(t, err)
		more = append(more, entry)
	}
	noise := make([]byte, 100_000)
	_, _ = rand.Read(noise)
	body, err := json.Marshal(noise)
	must(t, err)
	for _, p := range list[:min(1, len(list))] {
		_, err = held.Decide(ctx, p, lane.Decision{At: now, Effects: []lane.Effect{{Kind: "comment", Body: body}}}, more...)
		must(t, err)
	}
	_, err = held.Leave(ctx)
	must(t, err)
}

// objectsOfRuns returns the names of the objects of runs.
func (r *rig) objectsOfRuns(t *testing.T) []string {
	t.Helper()
	out, err := r.Env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(r.Env.Bucket("RunsBucket"))})
	must(t, err)
	var names []string
	for _, o := range out.Contents {
		names = append(names, *o.Key)
	}
	return names
}

// TestErasureOfRunsThatIsKilledIsMadeGood kills a worker at every fifth of its calls, or at fewer
// of them (Sample).
func TestErasureOfRunsThatIsKilledIsMadeGood(t *testing.T) {
	t.Parallel()
	r := rigOn(functiontest.New(t, function), 100)
	for n, ended := 1, false; !ended; n += storagetest.Sample(5, 25) {
		of := vcs.Installation{VCS: vcs.GitHub, ID: vcs.ID(fmt.Sprint(700_000_000_000 + n))}
		r.runOf(t, of)
		id := r.start(t, ofInstallation(string(of.VCS), string(of.ID)))
		ctx, env, calls := r.killing(n)
		_, _ = r.over(env).Handle(ctx, []byte(`{}`)) // the worker is killed, so its error does not matter
		ended = *calls < n
		r.finish(t, id)
		for _, line := range r.lines() {
			if strings.HasPrefix(line, "RunsTable") || strings.HasPrefix(line, "EvaluationTable") {
				t.Fatalf("killed at call %d: left %s", n, line)
			}
		}
		if left := r.objectsOfRuns(t); len(left) > 0 {
			t.Fatalf("killed at call %d: left %v", n, left)
		}
	}
}
