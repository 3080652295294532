package evaluator_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/testclock"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/object"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/fold"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/run/starting"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
)

// born is the first time of the clock. It lies in the future, so that nothing expires.
var born = time.Unix(4_000_000_000, 0).UTC()

var repository = vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7")

// secrets are the values of the server's secret.
var secrets = sealed.Fixed(bytes.Repeat([]byte("s"), 40))

// people is what people do at a stand-in.
type people interface {
	Push(repository, branch string, by vcstest.Account, changes map[string][]byte) (string, error)
	OpenPull(repository string, by vcstest.Account, o vcstest.Opening) (int64, error)
	CommentOn(repository string, number int64, by vcstest.Account, text string) (int64, error)
	ReviewPull(repository string, number int64, by vcstest.Account, v vcstest.Verdict) error
	MergePull(repository string, number int64, by vcstest.Account, method string) (string, error)
	ClosePull(repository string, number int64, by vcstest.Account) error
	ReopenPull(repository string, number int64, by vcstest.Account) error
	Pull(repository string, number int64) (vcstest.Pull, error)
	Choose(func(line string) *vcstest.Failure)
	Asked(prefix string) int
}

// People of the tests. Ann opens pull requests and may write. Rob may read.
var (
	ann = vcstest.Account{ID: 1, Login: "ann"}
	bob = vcstest.Account{ID: 2, Login: "bob"}
	rob = vcstest.Account{ID: 3, Login: "rob"}
)

const named = "acme/infra"

// rig is an evaluator over real storage and a stand-in host.
type rig struct {
	*evaluator.Evaluator
	// acting is the same with the role of the function.
	acting *evaluator.Evaluator
	t      testing.TB
	env    *storagetest.Env
	of     vcs.Repository
	host   people
	github *vcstest.GitHub
	gitlab *vcstest.GitLab
	git    *vcstest.Memory
	fold   fold.Folder
	clock  *testclock.Clock
	said   int // comments that were read
	// onEnd takes the place of the evaluation of the end of a run, if it is set.
	onEnd func(lane.Request)
}

func newRig(t testing.TB, files map[string]string) *rig {
	r := begin(t, files)
	r.of, r.github = repository, vcstest.NewGitHub(t)
	r.host = r.github
	r.github.Install("42", vcstest.Repository{ID: 7, Owner: "acme", Name: "infra", DefaultBranch: "main", Private: true, Content: r.git})
	for _, one := range []struct {
		who  vcstest.Account
		role string
	}{{ann, "write"}, {bob, "write"}, {rob, "read"}} {
		r.github.Permit("acme", "infra", one.who.Login, one.who.ID, one.role)
	}
	return r.ready()
}

// newRigAtGitLab is newRig for GitLab.
func newRigAtGitLab(t testing.TB, files map[string]string) *rig {
	r := begin(t, files)
	r.of, r.gitlab = vcs.Installation{VCS: vcs.GitLab, ID: "77"}.Repository("7"), vcstest.NewGitLab(t)
	r.host = r.gitlab
	r.gitlab.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: map[int64]int{9: 40, ann.ID: 30, bob.ID: 30, rob.ID: 20}, Projects: []vcstest.Project{{
		ID: 7, PathWithNamespace: named, DefaultBranch: "main", Content: r.git,
	}}})
	groups := grouptoken.New(r.env.DynamoDB, r.env.Table("SessionsTable"), sealed.NewBox(secrets))
	r.must(groups.Put(t.Context(), "77", r.gitlab.Account(9, "bot"), r.author()))
	return r.ready()
}

func begin(t testing.TB, files map[string]string) *rig {
	r := &rig{t: t, env: storagetest.New(t), git: vcstest.NewMemory(), clock: testclock.At(born)}
	r.git.Commit("main", bytesOf(files))
	r.Evaluator = &evaluator.Evaluator{Now: r.clock.Now}
	return r
}

func (r *rig) ready() *rig {
	r.Evaluator, r.acting = r.over(r.env), r.over(r.env.WithRole("OrchestratorFunction"))
	r.fold = fold.Folder{Runs: r.Runs, Standing: r.Standing, Results: r.Outputs}
	return r
}

// over returns an evaluator whose requests to storage go through an environment.
func (r *rig) over(env *storagetest.Env) *evaluator.Evaluator {
	name, bucket := env.Table("RunsTable"), env.Bucket("RunsBucket")
	runs := runstore.Store{DB: env.DynamoDB, Table: name, Limits: runstore.Limits{Keep: 90 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour}}
	stand := standing.Store{Table: table.Table{DB: env.DynamoDB, Name: name}}
	plans := planstore.Store{DB: env.DynamoDB, Objects: env.S3, Table: name, Bucket: bucket, Keep: 14 * 24 * time.Hour}
	hosts := &hostclient.Hosts{Tokens: grouptoken.New(env.DynamoDB, env.Table("SessionsTable"), sealed.NewBox(secrets))}
	if r.github != nil {
		hosts.App = githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return r.github.Key, nil }, r.github.API)
	} else {
		hosts.GitLab = gitlabhost.New(r.gitlab.API)
	}
	return &evaluator.Evaluator{
		Lanes: lane.Store{DB: env.DynamoDB, Table: env.Table("EvaluationTable"), Objects: object.Bucket{Client: env.S3, Name: bucket}},
		Runs:  runs, Standing: stand, Plans: plans, Outputs: output.New(env.DynamoDB, env.S3, name, bucket),
		Sets:   changeset.Store{DB: env.DynamoDB, Objects: env.S3, Table: name, Bucket: bucket, Keep: 90 * 24 * time.Hour},
		Source: source.Source{Objects: object.Bucket{Client: env.S3, Name: bucket}},
		Start: starting.Starter{
			History: starting.History{Runs: runs, Index: runindex.New(table.Table{DB: env.DynamoDB, Name: name}, runs), PlanStore: plans, Standing: stand},
			Objects: env.S3, Bucket: bucket, Box: sealed.NewBox(secrets), PublicBaseURL: "https://ops.example.com",
		},
		Open: evaluator.Opener(hosts), PublicBaseURL: "https://ops.example.com", Log: slog.New(slog.NewTextHandler(r.t.Output(), nil)), Now: r.clock.Now,
	}
}

func bytesOf(files map[string]string) map[string][]byte {
	made := map[string][]byte{}
	for path, text := range files {
		made[path] = []byte(text)
	}
	return made
}

// must fails the test for an error.
func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// ask makes a request, and evaluates the lane.
func (r *rig) ask(q lane.Request) {
	r.t.Helper()
	q.Repository, q.At = r.of, r.Now()
	r.must(r.Lanes.Ask(r.t.Context(), q, r.Now()))
	r.evaluate()
}

// evaluate evaluates the lane until nothing is asked any more.
func (r *rig) evaluate() {
	r.t.Helper()
	for again := true; again; {
		held, ok, err := r.acting.Lanes.Enter(r.t.Context(), r.of, r.Now())
		r.must(err)
		if !ok {
			r.t.Fatal("the lane is taken")
		}
		r.must(r.acting.Lane(r.t.Context(), held))
		again, err = held.Leave(r.t.Context())
		r.must(err)
	}
}

// open pushes files to a branch, and opens a pull request.
func (r *rig) open(branch string, files map[string]string) int64 {
	r.t.Helper()
	_, err := r.host.Push(named, branch, ann, bytesOf(files))
	r.must(err)
	number, err := r.host.OpenPull(named, ann, vcstest.Opening{Title: "Change " + branch, Head: branch})
	r.must(err)
	r.ask(lane.Request{Kind: lane.Pull, Number: number, Automatic: true, Sender: ann.Login, SenderID: "1"})
	return number
}

// push pushes files to the branch of a pull request.
func (r *rig) push(number int64, branch string, files map[string]string) {
	r.t.Helper()
	_, err := r.host.Push(named, branch, ann, bytesOf(files))
	r.must(err)
	r.ask(lane.Request{Kind: lane.Pull, Number: number, Automatic: true, Sender: ann.Login, SenderID: "1"})
}

// write lets somebody write a comment.
func (r *rig) write(number int64, by vcstest.Account, text string) {
	r.t.Helper()
	id, err := r.host.CommentOn(named, number, by, text)
	r.must(err)
	r.ask(lane.Request{Kind: lane.Command, Number: number, Comment: fmt.Sprint(id), Text: text, Sender: by.Login, SenderID: vcs.ID(fmt.Sprint(by.ID))})
}

// merge merges a pull request, as a person does.
func (r *rig) merge(number int64) {
	r.t.Helper()
	_, err := r.host.MergePull(named, number, ann, "merge")
	r.must(err)
	r.ask(lane.Request{Kind: lane.Pull, Number: number, Sender: ann.Login, SenderID: "1"})
}

// news returns the comments of this server since the last call.
func (r *rig) news(number int64) string {
	r.t.Helper()
	p, err := r.host.Pull(named, number)
	r.must(err)
	var made []string
	for _, c := range p.Comments[min(r.said, len(p.Comments)):] {
		if c.App != 0 || c.AuthorID == 9 {
			made = append(made, c.Text)
		}
	}
	r.said = len(p.Comments)
	return strings.Join(made, "\n----\n")
}

// statuses returns the statuses of the head, by name.
func (r *rig) statuses(number int64) map[string]string {
	r.t.Helper()
	p, err := r.host.Pull(named, number)
	r.must(err)
	made := map[string]string{}
	for _, s := range p.Statuses {
		made[s.Context] = s.State
	}
	return made
}

func (r *rig) author() change.Author {
	return change.Author{Principal: "server:dispatcher", Request: uuid.NewString(), At: r.Now()}
}

// outcome is what a runner reports of a dirspace.
type outcome int

const (
	changes outcome = iota
	same
	fails
)

// work lets runners do all that is queued, with an outcome for each directory (changes is
// the one of those that are not named), and evaluates what follows, until nothing is left.
func (r *rig) work(outcomes map[string]outcome) (did []string) {
	r.t.Helper()
	for {
		claimed, ok, err := r.Runs.Claim(r.t.Context(), r.of, time.Minute, r.author())
		r.must(err)
		if !ok {
			return did
		}
		did = append(did, r.run(claimed.ID, outcomes))
	}
}

// run lets a runner do a run that is claimed.
func (r *rig) run(id run.ID, outcomes map[string]outcome) string {
	r.t.Helper()
	ctx := r.t.Context()
	of, err := r.Runs.Get(ctx, id)
	r.must(err)
	_, err = r.Runs.Dispatched(ctx, of, runstore.HostRun{ID: string(id)}, r.author())
	r.must(err)
	_, err = r.Runs.Initiate(ctx, id, runstore.CIJob{Run: string(id), Commit: of.Source.Commit}, r.author())
	r.must(err)
	var steps, names []string
	for _, d := range of.Dirspaces {
		names = append(names, d.Dir+" "+d.Workspace)
		how := outcomes[d.Dir]
		step, text := "tf/plan", `"has_changes":true,"plan":"+ resource","text":"Plan: 1 to add, 0 to change, 0 to destroy."`
		switch {
		case of.Type.IsApply():
			step, text = "tf/apply", `"text":"Apply complete! Resources: 1 added, 0 changed, 0 destroyed."`
		case how == same:
			text = `"has_changes":false,"text":"No changes."`
		}
		if of.Type.IsPlan() && how != fails {
			r.must(r.Plans.Put(ctx, id, d, []byte("plan of "+d.String()), how == changes, r.Now()))
		}
		steps = append(steps, fmt.Sprintf(`{"step":%q,"success":%t,"scope":{"type":"dirspace","dir":%q,"workspace":%q},"payload":{%s}}`, step, how != fails, d.Dir, d.Workspace, text))
	}
	r.report(of, steps)
	return string(of.Type) + " " + strings.Join(names, ", ")
}

// report sends the steps of a run, and evaluates its end.
func (r *rig) report(of run.Run, steps []string) {
	r.t.Helper()
	ctx := r.t.Context()
	found, err := result.Decode([]byte(`{"steps":[` + strings.Join(steps, ",") + `]}`))
	r.must(err)
	stored, err := r.Outputs.Put(ctx, of.ID, found, r.Now().Add(r.Runs.Limits.Keep))
	r.must(err)
	outcomes := found.Outcomes(of.Dirspaces)
	plans, err := r.Plans.Of(ctx, of.ID, r.Now())
	r.must(err)
	for i, d := range of.Dirspaces {
		for _, p := range plans {
			if p.Dirspace == d {
				outcomes[i] |= run.PlanStored
			}
		}
	}
	_, err = r.Runs.Complete(ctx, of.ID, run.Result{Outcomes: outcomes, Success: found.Success, Steps: stored.Steps, Payload: stored.Payload, Gates: stored.Gates}, r.author())
	r.must(err)
	r.end(of.ID)
}

// end does what the dispatcher does at the end of a run.
func (r *rig) end(id run.ID) {
	r.t.Helper()
	over, err := r.Runs.Get(r.t.Context(), id)
	r.must(err)
	r.must(r.fold.Run(r.t.Context(), over))
	if over.Type.IsApply() && !over.StartedAt.IsZero() {
		r.must(r.Plans.RemoveUsed(r.t.Context(), id))
	}
	r.clock.Add(time.Second)
	q := lane.Request{Kind: lane.Ended, Number: over.Kind.Number, Run: id}
	if r.onEnd != nil {
		q.Repository, q.At = r.of, r.Now()
		r.onEnd(q)
		return
	}
	r.ask(q)
}
