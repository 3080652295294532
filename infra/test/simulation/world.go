// Package simulation lets pull requests live in a world where everything goes wrong that
// can: people act at the same time, deliveries come twice, late and crossed, runners fail,
// die, lie and report too late, and evaluators are killed at any of their requests, or come
// back after others took their lane. The storage is real, the host is a stand-in, and the
// clock is the world's. All that is drawn follows from one number.
//
// After each step, an oracle compares what was done with the rules. It derives these from
// the runs, merges and unlocks alone, and shares no code with those who decide.
package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	"github.com/opsplane/opsplane/shared/run/dispatch"
	"github.com/opsplane/opsplane/shared/run/fold"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/run/starting"
	"github.com/opsplane/opsplane/shared/run/worktoken"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
)

// Size says how much happens in a world.
type Size struct {
	// Pulls is the number of pull requests at most. Events is the number of things that
	// happen before everything comes to an end.
	Pulls, Events int
}

// Count is what has happened in a world.
type Count struct {
	Events, Pulls, Commands, Runs, Applies, Deaths, Nested int
	// Said are the first lines of the server's comments.
	Said map[string]int
}

// born is the first time of the clock. It lies in the future, so that nothing expires.
var born = time.Unix(4_000_000_000, 0).UTC()

var installation = vcs.Installation{VCS: vcs.GitHub, ID: "42"}

// world is all that there is. It is used by one goroutine, except deliveries, which the
// stand-in adds.
type world struct {
	t     testing.TB
	seed  uint64
	size  Size
	draw  *rand.Rand
	env   *storagetest.Env
	host  *vcstest.GitHub
	clock *testclock.Clock
	// safe has no faults.
	safe  *evaluator.Evaluator
	work  worktoken.Tokens
	count Count

	repositories []*repository
	jobs         []*job
	byToken      map[string]run.ID // runs by their work tokens

	mu        sync.Mutex
	inFlight  []delivery // deliveries that were not processed
	cancelled map[int64]bool

	tick  int // raised by each thing that happens
	outer int // the tick of the thing within which others happen
	depth int
	// touched are the repositories in which something may have happened since the last look
	// at them, and visited those that were evaluated.
	touched, visited map[*repository]bool
	frozen           bool // no time passes
	calm             bool // nothing fails, and nothing comes in between

	trace    []string
	problems []string
}

// repository is a repository with the people's pull requests.
type repository struct {
	vcs.Repository
	name  string // "acme/infra"
	git   *vcstest.Memory
	pulls []*pull
	book  *book
	// state counts the applies that have begun of each dirspace.
	state map[run.Dirspace]int
	// planned has the state for which a plan was made.
	planned map[planned]int
}

type planned struct {
	run run.ID
	at  run.Dirspace
}

// pull is a pull request as people see it.
type pull struct {
	of       *repository
	number   int64
	branch   string
	pushes   int
	commands []command
	forced   bool // somebody forced an apply
	approved bool
}

// command is a comment of a person.
type command struct {
	id   int64
	text string
	by   vcstest.Account
	tick int
}

// People of the world. Those who are not named last may write.
var people = []vcstest.Account{{ID: 1, Login: "ann"}, {ID: 2, Login: "bob"}, {ID: 3, Login: "eve"}, {ID: 4, Login: "rob"}}

// reader may only read.
var reader = people[3]

// configurations are those of the repositories.
var configurations = []string{`
dirs:
  app: { when_modified: { depends_on: 'dir:net' } }
  db: { tags: [critical], workspaces: { blue: {}, green: {} } }
  auto: { when_modified: { autoapply: true } }
  free: { tags: [free] }
  late: { tags: [late] }
workflows:
  - { tag_query: free, lock_policy: none }
  - { tag_query: late, lock_policy: merge }
apply_requirements:
  checks:
    - { tag_query: critical, approved: { enabled: true, any_of: ['*'], any_of_count: 1 } }
    - { tag_query: '' }
`, `
automerge: { enabled: true }
dirs:
  app: { when_modified: { depends_on: 'dir:net' } }
  db: { workspaces: { blue: {}, green: {} } }
`}

// dirs are the directories of each repository.
var dirs = []string{"app", "auto", "db", "free", "late", "net"}

func newWorld(t testing.TB, seed uint64, size Size) *world {
	w := &world{
		t: t, seed: seed, size: size, draw: rand.New(rand.NewPCG(seed, 1)), env: storagetest.New(t), host: vcstest.NewGitHub(t),
		count: Count{Said: map[string]int{}}, clock: testclock.At(born), byToken: map[string]run.ID{}, cancelled: map[int64]bool{},
		touched: map[*repository]bool{}, visited: map[*repository]bool{},
	}
	w.host.Allow(1 << 40)
	w.host.Now = w.clock.Now
	w.host.OnWebhook = w.webhook
	w.host.CI.OnStart = w.started
	w.host.CI.OnCancel = func(ci vcstest.CIRun) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.cancelled[ci.ID] = true
	}
	var installed []vcstest.Repository
	for i, config := range configurations {
		r := &repository{
			Repository: installation.Repository(vcs.ID(strconv.Itoa(7 + i))), name: fmt.Sprintf("acme/infra%d", i), git: vcstest.NewMemory(),
			state: map[run.Dirspace]int{}, planned: map[planned]int{},
		}
		files := map[string][]byte{"README.md": []byte("r"), githubhost.Workflow: []byte("w"), ".terrateam/config.yml": []byte(config)}
		for _, dir := range dirs {
			files[dir+"/main.tf"] = []byte(dir)
		}
		r.git.Commit("main", files)
		r.book = newBook(r.changed, i == 0)
		w.repositories = append(w.repositories, r)
		owner, name, _ := strings.Cut(r.name, "/")
		installed = append(installed, vcstest.Repository{ID: int64(7 + i), Owner: owner, Name: name, DefaultBranch: "main", Private: true, Content: r.git})
	}
	w.host.Install(string(installation.ID), installed...)
	for _, r := range w.repositories {
		owner, name, _ := strings.Cut(r.name, "/")
		for _, p := range people {
			role := "write"
			if p == reader {
				role = "read"
			}
			w.host.Permit(owner, name, p.Login, p.ID, role)
		}
	}
	w.work = worktoken.New(sealed.Fixed(bytes.Repeat([]byte("s"), 40)))
	w.safe = w.over(w.env)
	return w
}

// over returns an evaluator whose requests to storage go through an environment.
func (w *world) over(env *storagetest.Env) *evaluator.Evaluator {
	name, bucket := env.Table("RunsTable"), env.Bucket("RunsBucket")
	runs := runstore.Store{DB: env.DynamoDB, Table: name, Limits: runstore.Limits{Keep: 90 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour}}
	stand := standing.Store{Table: table.Table{DB: env.DynamoDB, Name: name}}
	plans := planstore.Store{DB: env.DynamoDB, Objects: env.S3, Table: name, Bucket: bucket, Keep: 14 * 24 * time.Hour}
	return &evaluator.Evaluator{
		Lanes: lane.Store{DB: env.DynamoDB, Table: env.Table("EvaluationTable"), Objects: object.Bucket{Client: env.S3, Name: bucket}},
		Runs:  runs, Standing: stand, Plans: plans, Outputs: output.New(env.DynamoDB, env.S3, name, bucket),
		Sets:   changeset.Store{DB: env.DynamoDB, Objects: env.S3, Table: name, Bucket: bucket, Keep: 90 * 24 * time.Hour},
		Source: source.Source{Objects: object.Bucket{Client: env.S3, Name: bucket}},
		Start: starting.Starter{
			History: starting.History{Runs: runs, Index: runindex.New(table.Table{DB: env.DynamoDB, Name: name}, runs), PlanStore: plans, Standing: stand},
			Objects: env.S3, Bucket: bucket, Box: sealed.NewBox(sealed.Fixed(bytes.Repeat([]byte("s"), 40))), PublicBaseURL: "https://ops.example.com",
		},
		Open: evaluator.Opener(w.clients()), PublicBaseURL: "https://ops.example.com", Log: slog.New(slog.DiscardHandler), Now: w.clock.Now,
	}
}

// clients returns clients of the host that remember nothing.
func (w *world) clients() *hostclient.Hosts {
	app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return w.host.Key, nil }, w.host.API)
	return &hostclient.Hosts{App: app}
}

// dispatcher returns a dispatcher of a new invocation.
func (w *world) dispatcher() dispatch.Dispatcher {
	d := dispatch.Dispatcher{
		Runs: w.safe.Runs, Plans: w.safe.Plans, Fold: fold.Folder{Runs: w.safe.Runs, Standing: w.safe.Standing, Results: w.safe.Outputs},
		Lanes: w.safe.Lanes, Open: dispatch.Opener(w.clients()), PublicBaseURL: "https://ops.example.com",
		WorkToken: func(ctx context.Context, id run.ID) (string, error) {
			token, err := w.work.Of(ctx, id)
			w.byToken[token] = id
			return token, err
		},
		Log: slog.New(slog.DiscardHandler), Now: w.clock.Now,
	}
	return d.Begin(uuid.NewString())
}

func (w *world) author(principal string) change.Author {
	return change.Author{Principal: principal, Request: uuid.NewString(), At: w.clock.Now()}
}

// must ends the test for an error of the simulation itself.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("seed %d, event %d: %v\n%s", w.seed, w.count.Events, err, w.story())
	}
}

// note adds a line to the story of the world.
func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%6d %s", w.tick, fmt.Sprintf(format, args...)))
}

// wrong notes that a rule was broken.
func (w *world) wrong(format string, args ...any) {
	problem := fmt.Sprintf(format, args...)
	w.problems = append(w.problems, fmt.Sprintf("event %d: %s", w.count.Events, problem))
	w.note("WRONG: %s", problem)
}

// maxStory is how many lines of the story are shown.
const maxStory = 400

func (w *world) story() string { return strings.Join(w.trace[max(0, len(w.trace)-maxStory):], "\n") }

// Run lets things happen, and then lets everything come to an end. It fails the test with
// the story of what happened before if a rule was broken.
func Run(t testing.TB, seed uint64, size Size) Count {
	t.Helper()
	w := newWorld(t, seed, size)
	for w.count.Events < size.Events && len(w.problems) == 0 {
		w.step()
	}
	if len(w.problems) == 0 {
		w.rest()
	}
	if len(w.problems) > 0 {
		t.Errorf("seed %d: %d rules were broken:\n%s\nThe story:\n%s", seed, len(w.problems), strings.Join(w.problems, "\n"), w.story())
	}
	for _, r := range w.repositories {
		w.count.Runs += len(r.book.runs)
		for _, e := range r.book.runs {
			if e.apply {
				w.count.Applies++
			}
		}
	}
	return w.count
}

// step lets one thing happen.
func (w *world) step() {
	w.tick++
	if w.depth == 0 {
		w.outer = w.tick
	}
	w.depth++
	w.pass(time.Duration(1+w.draw.IntN(20)) * time.Second)
	happened := false
	switch n := w.draw.IntN(100); {
	case n < 24:
		happened = w.person()
	case n < 46:
		happened = w.deliver()
	case n < 51:
		happened = w.visitSome()
	case n < 57:
		happened = w.start()
	case n < 91:
		happened = w.runner()
	case n < 96:
		happened = w.sweep()
	default:
		happened = w.wait()
	}
	w.depth--
	if happened {
		w.count.Events++
		w.observe()
	}
}

// wait lets time pass.
func (w *world) wait() bool {
	d := []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 20 * time.Minute, time.Hour}[w.draw.IntN(5)]
	if w.draw.IntN(20) == 0 {
		d = 25 * time.Hour
	}
	w.pass(d)
	w.note("%s pass", d)
	return true
}

// pass lets time pass, unless it stands still.
func (w *world) pass(d time.Duration) {
	if !w.frozen {
		w.clock.Add(d)
	}
}

// some returns one of the repositories.
func (w *world) some() *repository { return w.repositories[w.draw.IntN(len(w.repositories))] }

// of returns the repository with an id.
func (w *world) of(id vcs.ID) *repository {
	i := slices.IndexFunc(w.repositories, func(r *repository) bool { return r.ID == id })
	return w.repositories[i]
}

// webhook turns a webhook of the stand-in into a delivery, as the worker does.
func (w *world) webhook(h vcstest.Webhook) {
	var body struct {
		Action     string `json:"action"`
		Repository struct {
			ID int64 `json:"id"`
		} `json:"repository"`
		Number  int64 `json:"number"`
		Comment struct {
			ID   int64  `json:"id"`
			Body string `json:"body"`
		} `json:"comment"`
		Issue struct {
			Number int64 `json:"number"`
		} `json:"issue"`
		Sender struct {
			ID    int64  `json:"id"`
			Login string `json:"login"`
			Type  string `json:"type"`
		} `json:"sender"`
		WorkflowJob struct {
			RunID      int64  `json:"run_id"`
			Conclusion string `json:"conclusion"`
		} `json:"workflow_job"`
	}
	if err := json.Unmarshal(h.Body, &body); err != nil {
		panic(err)
	}
	d := delivery{of: installation.Repository(vcs.ID(strconv.FormatInt(body.Repository.ID, 10)))}
	q := lane.Request{Repository: d.of, At: w.clock.Now(), Sender: body.Sender.Login, SenderID: vcs.ID(strconv.FormatInt(body.Sender.ID, 10))}
	switch {
	case h.Event == "pull_request":
		q.Kind, q.Number, q.Automatic = lane.Pull, body.Number, slices.Contains([]string{"opened", "reopened", "synchronize", "ready_for_review"}, body.Action)
		d.request = &q
	case h.Event == "issue_comment" && body.Sender.Type != "Bot":
		q.Kind, q.Number, q.Comment, q.Text = lane.Command, body.Issue.Number, strconv.FormatInt(body.Comment.ID, 10), body.Comment.Body
		d.request = &q
	case h.Event == "workflow_job" && body.WorkflowJob.Conclusion != "success":
		d.job, d.conclusion = strconv.FormatInt(body.WorkflowJob.RunID, 10), body.WorkflowJob.Conclusion
	case h.Event == "issue_comment":
		w.note("the server writes in %s#%d: %.160q", d.of, body.Issue.Number, body.Comment.Body)
		return
	default:
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inFlight = append(w.inFlight, d)
}
