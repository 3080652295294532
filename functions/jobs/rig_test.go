package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/background/task/work"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/object"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runremoval"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

var born = time.UnixMilli(4_000_000_000_000).UTC()

// rig is a worker over its own tables and hosts.
type rig struct {
	*functiontest.Rig
	*work.Worker
	github *vcstest.GitHub
	gitlab *vcstest.GitLab
	part   int // of the workers made from now on; 0 means the function's own size
	// The stores of the test, which also writes what the worker may not.
	Tasks        task.Store
	repositories repository.Store
	pullRequests pullrequest.Store
	groups       *grouptoken.Store
}

const function = "JobsFunction"

func newRig(t *testing.T) *rig { return rigOn(t, functiontest.New(t, function)) }

func rigOn(t *testing.T, of *functiontest.Rig) *rig {
	r := &rig{Rig: of, github: vcstest.NewGitHub(t), gitlab: vcstest.NewGitLab(t)}
	r.Clock.Set(born)
	known, db := of.Env.Table("VcsTable"), of.Env.DynamoDB
	r.Tasks = task.Store{DB: db, Table: of.Env.Table("OperationsTable")}
	r.repositories, r.pullRequests = repository.Store{DB: db, Table: known}, pullrequest.Store{DB: db, Table: known}
	r.groups = r.tokens(of.Env)
	r.Worker = r.over(of.Role)
	return r
}

func (r *rig) tokens(env *storagetest.Env) *grouptoken.Store {
	box := sealed.NewBox(sealed.Fixed(bytes.Repeat([]byte("s"), 40)))
	return grouptoken.New(env.DynamoDB, env.Table("SessionsTable"), box)
}

// over returns a worker of the rig whose calls go through another env.
func (r *rig) over(env *storagetest.Env) *work.Worker {
	repositories := repository.Store{DB: env.DynamoDB, Table: env.Table("VcsTable")}
	tasks := task.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return r.github.Key, nil }, r.github.API)
	log := r.Logger()
	return &work.Worker{
		Tasks: tasks, Queue: task.Hosts, Turn: turn, Explain: explain, Remark: leftOut, Log: log, Now: r.Clock.Now,
		Steps: map[task.Kind]work.Step{
			task.RefreshRepositories: (&refresh{
				repositories: repositories, tasks: tasks, log: log,
				open:      opener(&hostclient.Hosts{App: app, GitLab: gitlabhost.New(r.gitlab.API), Tokens: r.tokens(env)}),
				pageSizes: map[vcs.VCS]int{vcs.GitHub: cmp.Or(r.part, pageSizes[vcs.GitHub]), vcs.GitLab: pageSizes[vcs.GitLab]},
			}).step,
			task.RemovePullRequests: removal{
				pullRequests: pullrequest.Store{DB: env.DynamoDB, Table: env.Table("VcsTable")}, repositories: repositories,
				part: cmp.Or(r.part, removalPart), runPart: cmp.Or(r.part, removalRuns),
				lanes:    lanesOver(env),
				standing: standing.Store{Table: table.Table{DB: env.DynamoDB, Name: env.Table("RunsTable")}},
				runs:     runsOver(env), changes: changesOver(env), before: runremoval.Before(output.New(env.DynamoDB, env.S3, env.Table("RunsTable"), env.Bucket("RunsBucket")), plansOver(env)),
			}.step,
		},
	}
}

func changesOver(env *storagetest.Env) changeset.Store {
	return changeset.Store{DB: env.DynamoDB, Objects: env.S3, Table: env.Table("RunsTable"), Bucket: env.Bucket("RunsBucket"), Keep: 14 * 24 * time.Hour}
}

func lanesOver(env *storagetest.Env) lane.Store {
	return lane.Store{DB: env.DynamoDB, Table: env.Table("EvaluationTable"), Objects: object.Bucket{Client: env.S3, Name: env.Bucket("RunsBucket")}}
}

func runsOver(env *storagetest.Env) runstore.Store {
	return runstore.Store{
		DB: env.DynamoDB, Table: env.Table("RunsTable"),
		Limits: runstore.Limits{Keep: 400 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour},
	}
}

func plansOver(env *storagetest.Env) planstore.Store {
	return planstore.Store{DB: env.DynamoDB, Objects: env.S3, Table: env.Table("RunsTable"), Bucket: env.Bucket("RunsBucket"), Keep: 14 * 24 * time.Hour}
}

func (r *rig) author() change.Author {
	return change.Author{Principal: "ann", Request: uuid.NewString(), At: r.Clock.Now()}
}

// start creates a task that refreshes an installation.
func (r *rig) start(t *testing.T, system, installation string) string {
	t.Helper()
	made := task.Task{ID: uuid.NewString(), Kind: task.RefreshRepositories, Owner: "ann", Installation: vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(installation)}}
	if err := r.Tasks.Create(t.Context(), r.author(), made); err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// woken returns the stream record that reports a task.
func woken(id string, at time.Time) events.DynamoDBEventRecord {
	return events.DynamoDBEventRecord{Change: events.DynamoDBStreamRecord{
		Keys: map[string]events.DynamoDBAttributeValue{
			"pk": events.NewStringAttribute("TASK#" + id), "sk": events.NewStringAttribute("TASK"),
		},
		NewImage:       map[string]events.DynamoDBAttributeValue{"wake": events.NewNumberAttribute(strconv.FormatInt(at.UnixMilli(), 10))},
		SequenceNumber: "1",
	}}
}

// wake gives a task to a worker, as the stream does, and reports whether the worker
// gave it back.
func (r *rig) wake(t *testing.T, j *work.Worker, id string) (back bool) {
	t.Helper()
	return r.wakeIn(t.Context(), t, j, id)
}

func (r *rig) wakeIn(ctx context.Context, t *testing.T, j *work.Worker, ids ...string) (back bool) {
	t.Helper()
	var records []events.DynamoDBEventRecord
	for _, id := range ids {
		records = append(records, woken(id, r.Clock.Now()))
	}
	return functiontest.Stream(ctx, t, j.Handle, records...) < len(records)
}

// schedule wakes a worker as the schedule does.
func (r *rig) schedule(t *testing.T) {
	t.Helper()
	if _, err := r.Handle(t.Context(), []byte(`{"source":"aws.events"}`)); err != nil {
		t.Fatal(err)
	}
}

// settle runs scheduled workers, minute by minute, until nothing is due.
func (r *rig) settle(t *testing.T) {
	t.Helper()
	for range 200 {
		r.Clock.Add(time.Minute)
		r.schedule(t)
		ids, err := r.Tasks.Due(t.Context(), task.Hosts, r.Clock.Now().Add(work.MaxAge), 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) == 0 {
			return
		}
	}
	t.Fatal("tasks never end")
}

func (r *rig) task(t *testing.T, id string) task.Task {
	t.Helper()
	got, err := r.Tasks.Get(t.Context(), id, r.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// listed returns what is known about the repositories, without the time at which
// they became known.
func (r *rig) listed(t *testing.T, system, installation string) []string {
	t.Helper()
	var lines []string
	after := ""
	for {
		list, err := r.repositories.List(t.Context(), vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(installation)}, repository.Query{Limit: 1000, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, repo := range list {
			lines = append(lines, fmt.Sprintf("%s %s/%s %s archived=%t private=%t setup=%t",
				repo.ID, repo.Owner, repo.Name, repo.DefaultBranch, repo.Archived, repo.Private, repo.Setup))
			after = repo.Cursor()
		}
		if len(list) < 1000 {
			slices.Sort(lines)
			return lines
		}
	}
}

// pull stores a pull request as of a version.
func (r *rig) pull(t *testing.T, repo string, number int64, version string) {
	t.Helper()
	r.pullOf(t, "42", repo, number, version)
}

func (r *rig) pullOf(t *testing.T, installation, repo string, number int64, version string) {
	t.Helper()
	_, err := r.pullRequests.Apply(t.Context(), r.author(), vcs.Installation{VCS: "github", ID: vcs.ID(installation)}, pullrequest.PullRequest{
		Repository: vcs.ID(repo), Number: number, State: pullrequest.Open,
	}, vcs.Version(version), r.repositories.NotEmptied(vcs.Installation{VCS: "github", ID: vcs.ID(installation)}.Repository(vcs.ID(repo)), vcs.Version(version)))
	if err != nil {
		t.Fatal(err)
	}
}

// pulls returns the known pull requests, as "number/repository".
func (r *rig) pulls(t *testing.T) []string { return r.pullsOf(t, "42") }

func (r *rig) pullsOf(t *testing.T, installation string) []string {
	t.Helper()
	list, err := r.pullRequests.List(t.Context(), vcs.Installation{VCS: "github", ID: vcs.ID(installation)}, pullrequest.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, p := range list {
		found = append(found, fmt.Sprintf("%d/%s", p.Number, p.Repository))
	}
	return found
}

// many returns repositories at the host. Every second one is set up.
func many(n int) []vcstest.Repository {
	list := make([]vcstest.Repository, n)
	for i := range list {
		list[i] = vcstest.Repository{
			ID: int64(i + 1), Owner: "acme", Name: fmt.Sprint("r", i+1), DefaultBranch: "main", Archived: i%5 == 0, Private: i%3 == 0,
		}
		if i%2 == 0 {
			list[i].Files = []string{githubhost.Workflow}
		}
	}
	return list
}

// want returns repositories of the host in the form in which they are listed here.
func want(list []vcstest.Repository) []string {
	var lines []string
	for _, repo := range list {
		lines = append(lines, fmt.Sprintf("%d %s/%s %s archived=%t private=%t setup=%t",
			repo.ID, repo.Owner, repo.Name, repo.DefaultBranch, repo.Archived, repo.Private, len(repo.Files) > 0))
	}
	slices.Sort(lines)
	return lines
}
