package dispatch_test

import (
	"bytes"
	"context"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/dispatch"
	"github.com/opsplane/opsplane/shared/run/fold"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/run/worktoken"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
)

// born is the first time of the clock. It lies in the future, so that nothing expires.
var born = time.Unix(4_000_000_000, 0).UTC()

var (
	onGitHub = vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7")
	onGitLab = vcs.Installation{VCS: vcs.GitLab, ID: "77"}.Repository("7")
)

// secrets are the values of the server's secret, and work the work tokens that they make.
var (
	secrets = sealed.Fixed(bytes.Repeat([]byte("s"), 40))
	work    = worktoken.New(secrets)
)

// workToken returns the work token of a run.
func workToken(id run.ID) string {
	token, err := work.Of(context.Background(), id)
	if err != nil {
		panic(err)
	}
	return token
}

// world is the storage, both hosts, and the clock.
type world struct {
	env    *storagetest.Env
	runs   runstore.Store // without faults
	github *vcstest.GitHub
	gitlab *vcstest.GitLab
	groups *grouptoken.Store
	plans  plans
	lanes  lanes
	base   string

	mu    sync.Mutex
	clock time.Time
}

// plans records which applies are over.
type plans struct {
	mu      sync.Mutex
	removed map[run.ID]int
	fails   error
}

func (p *plans) RemoveUsed(_ context.Context, apply run.ID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.removed == nil {
		p.removed = map[run.ID]int{}
	}
	p.removed[apply]++
	return p.fails
}

func (*plans) Remove(context.Context, run.ID) error { return nil }

// lanes records the requests for evaluations.
type lanes struct {
	mu    sync.Mutex
	asked []lane.Request
	fails error
}

func (l *lanes) Ask(_ context.Context, r lane.Request, _ time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails == nil {
		l.asked = append(l.asked, r)
	}
	return l.fails
}

// of returns the requests about the end of a run.
func (l *lanes) of(id run.ID) (list []lane.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.asked {
		if r.Run == id {
			list = append(list, r)
		}
	}
	return list
}

func newWorld(t testing.TB) *world {
	w := &world{env: storagetest.New(t), github: vcstest.NewGitHub(t), gitlab: vcstest.NewGitLab(t), clock: born, base: "https://ops.example.com"}
	w.runs = storeOver(w.env)
	w.github.Install("42", vcstest.Repository{
		ID: 7, Owner: "acme", Name: "infra", DefaultBranch: "main", Files: []string{githubhost.Workflow},
		Branches: map[string]string{"main": "aa", "feature": "bb"},
	})
	w.gitlab.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: map[int64]int{9: 40}, Projects: []vcstest.Project{
		{ID: 7, PathWithNamespace: "acme/infra", DefaultBranch: "main", Branches: map[string]string{"main": "aa", "feature": "bb"}},
	}})
	w.groups = grouptoken.New(w.env.DynamoDB, w.env.Table("SessionsTable"), sealed.NewBox(secrets))
	if err := w.groups.Put(t.Context(), "77", w.gitlab.Account(9, "bot"), w.author()); err != nil {
		t.Fatal(err)
	}
	return w
}

func storeOver(env *storagetest.Env) runstore.Store {
	return runstore.Store{
		DB: env.DynamoDB, Table: env.Table("RunsTable"),
		Limits: runstore.Limits{Keep: 90 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour},
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *world) author() change.Author {
	return change.Author{Principal: "ann", Request: uuid.NewString(), At: w.now()}
}

// dispatcher returns a dispatcher of a new invocation.
func (w *world) dispatcher() dispatch.Dispatcher { return w.over(w.env) }

// over returns a dispatcher whose requests to runs go through another environment.
func (w *world) over(env *storagetest.Env) dispatch.Dispatcher {
	app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return w.github.Key, nil }, w.github.API)
	return dispatch.Dispatcher{
		Runs: storeOver(env), Plans: &w.plans, PublicBaseURL: w.base,
		Fold: fold.Folder{
			Runs: storeOver(env), Standing: standing.Store{Table: table.Table{DB: env.DynamoDB, Name: env.Table("RunsTable")}},
			Results: output.New(env.DynamoDB, env.S3, env.Table("RunsTable"), env.Bucket("RunsBucket")),
		},
		Lanes:     &w.lanes,
		Open:      dispatch.Opener(&hostclient.Hosts{App: app, GitLab: gitlabhost.New(w.gitlab.API), Tokens: w.groups}),
		WorkToken: work.Of,
		Log:       slog.New(slog.DiscardHandler), Now: w.now, Request: uuid.NewString(), Tally: &dispatch.Tally{},
	}
}

// spec returns a run of the repository on the branch "feature".
func spec(on vcs.Repository, of run.Type, names ...string) run.Spec {
	s := run.Spec{
		ID: run.NewID(), Repository: on, Owner: "acme", Name: "infra", Type: of, Kind: run.Kind{Name: run.PullRequest, Number: 17},
		Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"}, User: "ann", Principal: "ann",
	}
	for _, name := range names {
		s.Dirspaces = append(s.Dirspaces, run.Dirspace{Dir: name, Workspace: "default"})
	}
	return s
}

func (w *world) create(t testing.TB, s run.Spec) run.ID {
	t.Helper()
	_, err := w.runs.Create(t.Context(), runstore.Creation{
		Spec: s, Token: runstore.Token{Hash: []byte("h"), Sealed: []byte("s")}, Manifest: runstore.Manifest{Body: []byte("{}")},
	}, w.author())
	if err != nil {
		t.Fatal(err)
	}
	return s.ID
}

func (w *world) plan(t testing.TB, on vcs.Repository) run.ID {
	return w.create(t, spec(on, run.Plan, "a"))
}

// get reads a run.
func (w *world) get(t testing.TB, id run.ID) run.Run {
	t.Helper()
	r, err := w.runs.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// dispatch lets a new dispatcher work at a repository.
func (w *world) dispatch(t testing.TB, on vcs.Repository) *dispatch.Tally {
	t.Helper()
	d := w.dispatcher()
	if err := d.Repository(t.Context(), on); err != nil {
		t.Fatal(err)
	}
	return d.Tally
}

// sweep lets a new dispatcher do what is due.
func (w *world) sweep(t testing.TB) *dispatch.Tally {
	t.Helper()
	d := w.dispatcher()
	if err := d.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d.Tally
}

// minutes lets minutes pass, with a sweep in each.
func (w *world) minutes(t testing.TB, n int) {
	t.Helper()
	for range n {
		w.pass(time.Minute)
		w.sweep(t)
	}
}

// initiate asks for the work of a run, as the runner of a CI run does.
func (w *world) initiate(t testing.TB, id run.ID, ci string) bool {
	t.Helper()
	i, err := w.runs.Initiate(t.Context(), id, runstore.CIJob{Run: ci, Commit: "bb"}, w.author())
	if err != nil {
		t.Fatal(err)
	}
	return i.Work
}

// ci returns the CI of the host of a repository.
func (w *world) ci(on vcs.Repository) *vcstest.CI {
	if on.Installation.VCS == vcs.GitHub {
		return &w.github.CI
	}
	return &w.gitlab.CI
}

// startedFor returns how many CI runs the hosts have started for a run.
func (w *world) startedFor(id run.ID) int {
	n := 0
	for _, r := range append(w.github.CI.Runs(), w.gitlab.CI.Runs()...) {
		if token := workToken(id); r.Inputs["work-token"] == token || r.Inputs["WORK_TOKEN"] == token {
			n++
		}
	}
	return n
}
