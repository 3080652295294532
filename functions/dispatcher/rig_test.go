package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/dispatch"
	"github.com/opsplane/opsplane/shared/run/fold"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runremoval"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/run/worktoken"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
)

// secrets are the values of the server's secret.
var secrets = sealed.Fixed(bytes.Repeat([]byte("s"), 40))

var (
	infraRepository = vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7")
	otherRepository = vcs.Installation{VCS: vcs.GitLab, ID: "77"}.Repository("7")
)

// rig is the function over its own storage, with its role, and hosts.
type rig struct {
	*functiontest.Rig
	*dispatcher
	github *vcstest.GitHub
	gitlab *vcstest.GitLab
	runs   runstore.Store // without a role
	plans  planstore.Store
}

func newRig(t testing.TB) *rig { return newRigOn(t, storagetest.New(t)) }

func newRigOn(t testing.TB, env *storagetest.Env) *rig {
	r := &rig{Rig: functiontest.On(env, "DispatcherFunction"), github: vcstest.NewGitHub(t), gitlab: vcstest.NewGitLab(t)}
	r.runs, r.plans = runsOver(env), plansOver(env)
	r.github.Install("42", vcstest.Repository{
		ID: 7, Owner: "acme", Name: "infra", Files: []string{githubhost.Workflow}, Branches: map[string]string{"main": "aa", "feature": "bb"},
	})
	r.gitlab.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: map[int64]int{9: 40}, Projects: []vcstest.Project{
		{ID: 7, PathWithNamespace: "acme/infra", Branches: map[string]string{"feature": "bb"}},
	}})
	if err := r.groups(env).Put(t.Context(), "77", r.gitlab.Account(9, "bot"), r.author()); err != nil {
		t.Fatal(err)
	}
	r.dispatcher = r.over(r.Role)
	return r
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

func standingOver(env *storagetest.Env) standing.Store {
	return standing.Store{Table: table.Table{DB: env.DynamoDB, Name: env.Table("RunsTable")}}
}

func outputsOver(env *storagetest.Env) *output.Store {
	return output.New(env.DynamoDB, env.S3, env.Table("RunsTable"), env.Bucket("RunsBucket"))
}

func lanesOver(env *storagetest.Env) lane.Store {
	return lane.Store{DB: env.DynamoDB, Table: env.Table("EvaluationTable")}
}

func (r *rig) groups(env *storagetest.Env) *grouptoken.Store {
	return grouptoken.New(env.DynamoDB, env.Table("SessionsTable"), sealed.NewBox(secrets))
}

// over returns the function over an environment.
func (r *rig) over(env *storagetest.Env) *dispatcher {
	app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return r.github.Key, nil }, r.github.API)
	return &dispatcher{
		dispatch: dispatch.Dispatcher{
			Runs: runsOver(env), Plans: plansOver(env), PublicBaseURL: "https://ops.example.com",
			Fold:       fold.Folder{Runs: runsOver(env), Standing: standingOver(env), Results: outputsOver(env)},
			Lanes:      lanesOver(env),
			Open:       dispatch.Opener(&hostclient.Hosts{App: app, GitLab: gitlabhost.New(r.gitlab.API), Tokens: r.groups(env)}),
			WorkToken:  worktoken.New(secrets).Of,
			Unfinished: runremoval.Unfinished(env.S3, env.Bucket("RunsBucket")),
			Log:        r.Logger(), Now: r.Clock.Now,
		},
		log: r.Logger(), now: r.Clock.Now,
	}
}

func (r *rig) author() change.Author {
	return change.Author{Principal: "ann", Request: uuid.NewString(), At: r.Clock.Now()}
}

// create queues a run of the branch "feature".
func (r *rig) create(t testing.TB, on vcs.Repository, of run.Type, names ...string) run.ID {
	t.Helper()
	s := run.Spec{
		ID: run.NewID(), Repository: on, Owner: "acme", Name: "infra", Type: of, Kind: run.Kind{Name: run.PullRequest, Number: 17},
		Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"}, Principal: "ann",
	}
	for _, name := range names {
		s.Dirspaces = append(s.Dirspaces, run.Dirspace{Dir: name, Workspace: "default"})
	}
	_, err := r.runs.Create(t.Context(), runstore.Creation{
		Spec: s, Token: runstore.Token{Hash: []byte("h"), Sealed: []byte("s")}, Manifest: runstore.Manifest{Body: []byte("{}")},
	}, r.author())
	if err != nil {
		t.Fatal(err)
	}
	return s.ID
}

func (r *rig) get(t testing.TB, id run.ID) run.Run {
	t.Helper()
	got, err := r.runs.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// item reads a run's own item.
func (r *rig) item(t testing.TB, id run.ID) attr.Item {
	t.Helper()
	item, err := table.Table{DB: r.Env.DynamoDB, Name: r.Env.Table("RunsTable")}.Get(t.Context(), runstore.Key(id))
	if err != nil {
		t.Fatal(err)
	}
	return item
}

// image returns an item in the form that a stream shows. The items of runs have texts,
// numbers, bytes and truths.
func image(t testing.TB, item attr.Item) map[string]events.DynamoDBAttributeValue {
	t.Helper()
	found := map[string]events.DynamoDBAttributeValue{}
	for name, value := range item {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			found[name] = events.NewStringAttribute(v.Value)
		case *types.AttributeValueMemberN:
			found[name] = events.NewNumberAttribute(v.Value)
		case *types.AttributeValueMemberB:
			found[name] = events.NewBinaryAttribute(v.Value)
		case *types.AttributeValueMemberBOOL:
			found[name] = events.NewBooleanAttribute(v.Value)
		default:
			t.Fatalf("%s is a %T", name, value)
		}
	}
	return found
}

// record returns the record of the stream that shows the runs as they are.
func (r *rig) record(t testing.TB, id run.ID, sequence string) events.DynamoDBEventRecord {
	t.Helper()
	item := image(t, r.item(t, id))
	return events.DynamoDBEventRecord{EventName: "MODIFY", Change: events.DynamoDBStreamRecord{
		Keys: map[string]events.DynamoDBAttributeValue{"pk": item["pk"], "sk": item["sk"]}, NewImage: item, SequenceNumber: sequence,
	}}
}

// show gives the function the records of runs, as the stream does. It returns the numbers of
// the records that it gave back.
func (r *rig) show(t testing.TB, ids ...run.ID) (back []string) {
	t.Helper()
	var records []events.DynamoDBEventRecord
	for i, id := range ids {
		records = append(records, r.record(t, id, strconv.Itoa(i+1)))
	}
	return r.send(t, records...)
}

func (r *rig) send(t testing.TB, records ...events.DynamoDBEventRecord) (back []string) {
	t.Helper()
	event, err := json.Marshal(events.DynamoDBEvent{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := r.handle(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range answer.(events.DynamoDBEventResponse).BatchItemFailures {
		back = append(back, f.ItemIdentifier)
	}
	return back
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
