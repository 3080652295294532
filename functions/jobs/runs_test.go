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

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// plan creates a run of a repository with a stored plan, a manifest in the bucket, and a
// result that stands.
func (r *rig) plan(t *testing.T, of vcs.Repository) run.ID {
	t.Helper()
	d, id := run.Dirspace{Dir: "a", Workspace: "default"}, run.NewID()
	bucket, name := r.Env.Bucket("RunsBucket"), runstore.ManifestObject(id)
	if _, err := r.Env.S3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &name, Body: strings.NewReader("{}")}); err != nil {
		t.Fatal(err)
	}
	made, err := runsOver(r.Env).Create(t.Context(), runstore.Creation{
		Spec: run.Spec{
			ID: id, Repository: of, Owner: "acme", Name: "infra", Type: run.Plan, Kind: run.Kind{Name: run.Branch},
			Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "main", Commit: "aa"}, Principal: "ann", Dirspaces: []run.Dirspace{d},
		},
		Token: runstore.Token{Hash: []byte("h"), Sealed: []byte("s")}, Manifest: runstore.Manifest{Object: name},
	}, r.author())
	if err == nil {
		done := made.Run
		done.Result = &run.Result{Outcomes: []run.Outcome{run.HasResult}}
		err = standing.Store{Table: table.Table{DB: r.Env.DynamoDB, Name: r.Env.Table("RunsTable")}}.Record(t.Context(), done, nil, r.Clock.Now().Add(24*time.Hour))
	}
	if err == nil {
		err = plansOver(r.Env).Put(t.Context(), made.Run.ID, d, []byte("a secret plan"), true, r.Clock.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	return made.Run.ID
}

// changed stores the change set of a pull request of a repository.
func (r *rig) changed(t *testing.T, of vcs.Repository) {
	t.Helper()
	write, err := changesOver(r.Env).Write(t.Context(), changeset.Set{
		Repository: of, Number: 17, Base: "aa", Head: "bb", At: r.Clock.Now(), Stacks: []changeset.Stack{{Name: "default", Paths: [][]string{{"default"}}}},
	})
	if err == nil {
		err = table.Table{DB: r.Env.DynamoDB, Name: r.Env.Table("RunsTable")}.Transact(t.Context(), write)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// evaluated gives a repository a lane with a request, a large decision and an entry of a
// list.
func (r *rig) evaluated(t *testing.T, of vcs.Repository) {
	t.Helper()
	s, now := lanesOver(r.Env), r.Clock.Now()
	for _, comment := range []string{"1", "2"} {
		if err := s.Ask(t.Context(), lane.Request{Kind: lane.Command, Repository: of, Comment: comment, At: now}, now); err != nil {
			t.Fatal(err)
		}
	}
	held, ok, err := s.Enter(t.Context(), of, now)
	if err != nil || !ok {
		t.Fatalf("entered: %t, %v", ok, err)
	}
	list, err := held.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 100_000)
	_, _ = rand.Read(noise)
	body, err := json.Marshal(noise)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := s.WriteEntry(lane.Locks, lane.Entry{PullRequest: of.PullRequest(17), Since: now, Body: json.RawMessage("1")})
	if err != nil {
		t.Fatal(err)
	}
	check := now.Add(24 * time.Hour)
	state, err := s.WriteState(of, lane.Row{Body: json.RawMessage("1"), Check: check})
	if err != nil {
		t.Fatal(err)
	}
	more := append(s.WriteCheck(of, time.Time{}, check), entry, state)
	if _, err := held.Decide(t.Context(), list[0], lane.Decision{At: now, Effects: []lane.Effect{{Kind: "comment", Body: body}}}, more...); err != nil {
		t.Fatal(err)
	}
	if _, err := held.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// remove creates the task that removes what belongs to a repository.
func (r *rig) remove(t *testing.T, of vcs.Repository) string {
	t.Helper()
	removal := repository.RemovalTask("", of, "5")
	if err := r.Tasks.Create(t.Context(), r.author(), removal); err != nil {
		t.Fatal(err)
	}
	return removal.ID
}

// leftOf returns the items of runs and of evaluations, and how many objects there are. It leaves out the
// items that outlive the runs of a repository: its lane, and its place among the
// repositories with runs.
func (r *rig) leftOf(t *testing.T) (items string, objects int) {
	t.Helper()
	out, err := r.Env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(r.Env.Bucket("RunsBucket"))})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(r.Env.Dump("RunsTable")) {
		if !strings.Contains(line, "LANE") && !strings.Contains(line, "RUNREPOS#") {
			items += line
		}
	}
	items += r.Env.Dump("EvaluationTable")
	return strings.TrimSpace(items), len(out.Contents)
}

// TestRunsOfARepositoryThatIsGoneAreRemoved kills a worker at every third of its calls,
// or at fewer of them (Sample). What it has left is removed by the next ones.
func TestRunsOfARepositoryThatIsGoneAreRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.part = 2
	r.Worker = r.over(r.Role)
	for n, ended := 1, false; !ended; n += storagetest.Sample(3, 15) {
		of := vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository(vcs.ID(fmt.Sprint(1000 + n)))
		for range 3 {
			r.plan(t, of)
		}
		r.changed(t, of)
		r.evaluated(t, of)
		id := r.remove(t, of)
		calls := r.disturb(t, &disturbance{nth: n}, true, id)
		ended = calls < n
		r.settle(t)
		if got := r.task(t, id); got.State != task.Completed {
			t.Fatalf("killed at call %d: %+v", n, got)
		}
		if items, objects := r.leftOf(t); items != "" || objects != 0 {
			t.Fatalf("killed at call %d: left %d objects and %s", n, objects, items)
		}
	}
}

func TestRunsOfARepositoryThatCameBackStay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	of := vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7")
	id := r.plan(t, of)
	removal := r.remove(t, of)
	if err := r.repositories.Apply(t.Context(), r.author(), of.Installation, vcs.Description{ID: of.ID, Owner: "acme", Name: "infra"}, "9"); err != nil {
		t.Fatal(err)
	}
	r.settle(t)
	if got := r.task(t, removal); got.State != task.Completed {
		t.Errorf("%+v", got)
	}
	if got, err := runsOver(r.Env).Get(t.Context(), id); err != nil || got.State != run.Queued {
		t.Errorf("%s, %v", got.State, err)
	}
}
