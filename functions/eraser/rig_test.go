package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/background/task/work"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
)

// rig is a worker over its own tables. The stores are those of the test, which also
// writes and reads what the worker may not.
type rig struct {
	*functiontest.Rig
	*work.Worker
	stores
	Tasks task.Store
	limit int
}

const function = "EraserFunction"

func newRig(t *testing.T) *rig {
	return rigOn(functiontest.New(t, function), 2)
}

func rigOn(of *functiontest.Rig, limit int) *rig {
	r := &rig{Rig: of, limit: limit}
	r.Clock.Set(time.Now().UTC())
	r.Worker = r.over(of.Role)
	r.stores = opened(of.Env)
	r.Tasks = task.Store{DB: of.Env.DynamoDB, Table: of.Env.Table("OperationsTable")}
	return r
}

// opened returns the stores with the clients of an env.
func opened(env *storagetest.Env) stores {
	return open(env.DynamoDB, env.S3, places{
		operations: env.Table("OperationsTable"), tokens: env.Table("TokensTable"), sessions: env.Table("SessionsTable"), vcs: env.Table("VcsTable"),
		deliveries: env.Table("DeliveriesTable"), kv: env.Table("KvTable"), bucket: env.Bucket("KvBucket"),
		runs: env.Table("RunsTable"), runsBucket: env.Bucket("RunsBucket"), evaluation: env.Table("EvaluationTable"),
	}, runstore.Limits{Keep: 400 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour})
}

// over returns a worker of the rig with the clients of an env.
func (r *rig) over(env *storagetest.Env) *work.Worker {
	return worker(task.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}, opened(env), r.limit, slog.New(slog.DiscardHandler), r.Clock.Now)
}

func (r *rig) author() change.Author {
	return change.Author{Principal: "operator:tester", Request: uuid.NewString(), At: r.Clock.Now()}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// set writes a row. A large value gets an object.
func (r *rig) set(t *testing.T, ns vcs.Installation, key string, idx int, value string, committed bool, guard *access.Set) {
	t.Helper()
	v, err := canonical.Parse([]byte(value))
	must(t, err)
	_, err = r.records.Set(t.Context(), kv.Caller{Installation: ns, Capabilities: access.Strings(), Author: r.author()}, kv.Write{Key: key, Idx: idx, Value: v, Committed: committed, WriteCaps: guard})
	must(t, err)
}

// announce begins an upload.
func (r *rig) announce(t *testing.T, ns vcs.Installation, key string, body []byte) (artifact.Upload, artifact.Page) {
	t.Helper()
	sum := sha256.Sum256(body)
	file := artifact.File{Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), ContentType: "application/zip"}
	u, page, err := r.files.Create(t.Context(), kv.Caller{Installation: ns, Author: r.author()}, artifact.New{Key: key, Committed: true, File: file})
	must(t, err)
	return u, page
}

// large is a value that becomes an object.
var large = `"` + strings.Repeat("x", 2*kv.InlineMax) + `"`

// settleIn creates an installation with some of everything that an installation can
// have.
func (r *rig) settleIn(t *testing.T, system, id string) {
	t.Helper()
	ns := vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}
	_, err := r.installations.Save(t.Context(), r.author(), installation.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id), Name: "acme"})
	must(t, err)
	guard := access.Set{access.Strings()[0]}
	r.set(t, ns, "plain", 0, "1", true, nil)
	r.set(t, ns, "rows", 0, large, true, nil)
	r.set(t, ns, "rows", 7, large, true, nil)
	r.set(t, ns, "draft", 3, `"draft"`, false, nil)
	r.set(t, ns, "guarded", 0, "1", true, &guard)
	r.set(t, ns, "guarded in a row", 2, "1", true, &guard)
	r.announce(t, ns, "under way", []byte("bytes"))
	r.discover(t, system, id)
}

// discover stores facts about repositories, pull requests and deliveries of an
// installation.
func (r *rig) discover(t *testing.T, system, id string) {
	t.Helper()
	for _, n := range []string{"1", "2", "3"} {
		must(t, r.repositories.Apply(t.Context(), r.author(), vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}, vcs.Description{ID: vcs.ID(n), Owner: "acme", Name: "repo" + n}, "1"))
		number, err := strconv.ParseInt(n, 10, 64)
		must(t, err)
		p := pullrequest.PullRequest{Repository: vcs.ID(n), Number: number, State: pullrequest.Open}
		_, err = r.pullRequests.Apply(t.Context(), r.author(), vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}, p, "2", r.repositories.NotEmptied(vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}.Repository(vcs.ID(n)), "2"))
		must(t, err)
		d := delivery.Delivery{ID: delivery.ID(vcs.ID(id), uuid.NewString()), Event: "push", Installation: vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}, ReceivedAt: r.Clock.Now()}
		_, err = r.deliveries.Accept(t.Context(), d, []byte(`{"commit":"of acme"}`))
		must(t, err)
	}
	must(t, r.repositories.Gone(t.Context(), r.author(), vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}.Repository("3"), "9", nil))
	if system == "gitlab" {
		must(t, grouptoken.New(r.Env.DynamoDB, r.Env.Table("SessionsTable"), box()).Put(t.Context(), vcs.ID(id), "glpat-of-the-group", r.author()))
	}
}

func box() *sealed.Box { return sealed.NewBox(sealed.Fixed(bytes.Repeat([]byte("s"), 40))) }

// person creates a user with some of everything that a user can have.
func (r *rig) person(t *testing.T, account string) user.User {
	t.Helper()
	u, err := r.users.SignIn(t.Context(), "github", user.Identity{ID: vcs.ID(account), Login: "login-" + account}, r.author())
	must(t, err)
	must(t, r.users.PutIdentity(t.Context(), u.ID, "gitlab", user.Identity{ID: vcs.ID(account), Login: "lab-" + account}, r.author()))
	must(t, r.users.AddMembership(t.Context(), u.ID, vcs.Installation{VCS: "github", ID: "1"}, r.author()))
	r.credentials(t, u.ID)
	u, err = r.users.Get(t.Context(), u.ID)
	must(t, err)
	return u
}

// credentials gives a user keys, host grants and renewals.
func (r *rig) credentials(t *testing.T, id string) {
	t.Helper()
	for n := range 3 {
		_, key, err := r.keys.Create(t.Context(), apikey.New{User: id, Name: "key", Capabilities: access.Strings()}, r.author())
		must(t, err)
		switch n {
		case 0:
			must(t, r.keys.MarkUsed(t.Context(), id, key.ID, r.author()))
		case 1:
			must(t, r.keys.Revoke(t.Context(), id, key.ID, r.author()))
		}
	}
	grants := grant.Store{DB: r.Env.DynamoDB, Table: r.Env.Table("SessionsTable"), Box: box()}
	for _, system := range vcs.All() {
		must(t, grants.Put(t.Context(), grant.Holder{User: id, Account: vcs.Account{VCS: system, ID: "1"}}, grant.Grant{Access: "secret"}, r.author()))
		must(t, r.renewals.Expect(t.Context(), id, system, r.Clock.Now()))
	}
}

// start begins an erasure as the operators' commands do.
func (r *rig) start(t *testing.T, made task.Task) string {
	t.Helper()
	made.ID = uuid.NewString()
	made, err := r.Tasks.CreateOnce(t.Context(), r.author(), made, r.Clock.Now())
	must(t, err)
	return made.ID
}

func ofInstallation(system, id string) task.Task {
	return task.Task{Kind: task.EraseInstallation, Installation: vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}}
}

func ofUser(id string) task.Task { return task.Task{Kind: task.EraseUser, Subject: id} }

// run wakes a worker once, as the schedule does.
func (r *rig) run(t *testing.T) {
	t.Helper()
	_, err := r.Handle(t.Context(), []byte(`{"source":"aws.events"}`))
	must(t, err)
}

// finish runs scheduled workers until the task has ended.
func (r *rig) finish(t *testing.T, id string) {
	t.Helper()
	for range 60 {
		r.run(t)
		if got := r.task(t, id); got.Ended() {
			if got.State != task.Completed {
				t.Fatalf("task %+v", got)
			}
			return
		}
		r.Clock.Add(10 * time.Minute)
	}
	t.Fatalf("it never ends: %+v", r.task(t, id))
}

func (r *rig) task(t *testing.T, id string) task.Task {
	t.Helper()
	got, err := r.Tasks.Get(t.Context(), id, r.Clock.Now())
	must(t, err)
	return got
}

var tables = []string{"OperationsTable", "TokensTable", "SessionsTable", "VcsTable", "DeliveriesTable", "KvTable", "RunsTable", "EvaluationTable"}

// lines returns all items of all tables as text, with their table. Tasks and their lists
// are left out: they expire by themselves.
func (r *rig) lines() []string {
	var all []string
	for _, table := range tables {
		for line := range strings.Lines(r.Env.Dump(table)) {
			own := slices.ContainsFunc([]string{"TASK#", "LAST#", "ERASURES", "USERTASKS#", "INSTALLATIONTASKS#"}, func(pk string) bool {
				return strings.Contains(line, "pk="+pk)
			})
			if !own {
				all = append(all, table+" "+line)
			}
		}
	}
	slices.Sort(all)
	return all
}

// objects returns the names of all objects of the buckets.
func (r *rig) objects(t *testing.T) []string {
	t.Helper()
	out, err := r.Env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(r.Env.Bucket("KvBucket"))})
	must(t, err)
	names := r.objectsOfRuns(t)
	for _, o := range out.Contents {
		names = append(names, *o.Key)
	}
	return names
}

// send sends a file to its address, and reports whether it was accepted.
func send(t *testing.T, page artifact.Page, body []byte) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, page.Put.URL, bytes.NewReader(body))
	must(t, err)
	for name, value := range page.Put.Headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	must(t, response.Body.Close())
	return response.StatusCode == http.StatusOK
}
