package runindex_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// born is the time of the tests. It lies in the future, so that nothing expires.
var born = time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)

var installation = vcs.Installation{VCS: vcs.GitHub, ID: "42"}

// world makes runs and changes them. All that is drawn depends on the seed.
type world struct {
	t     testing.TB
	store runstore.Store
	index runindex.Index
	draw  *rand.Rand
	now   time.Time
	made  []run.ID  // of installation
	known []run.Run // the runs of made as they are; nil after a change
	job   int       // the CI job that began last
}

func over(env *storagetest.Env) runstore.Store {
	return runstore.Store{
		DB: env.DynamoDB, Table: env.Table("RunsTable"),
		Limits: runstore.Limits{Keep: 90 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour},
	}
}

func newWorld(t testing.TB, env *storagetest.Env, seed uint64) *world {
	s := over(env)
	return &world{
		t: t, store: s, index: runindex.New(table.Table{DB: s.DB, Name: s.Table}, s),
		draw: rand.New(rand.NewPCG(seed, 0)), now: born,
	}
}

func (w *world) author() change.Author {
	return change.Author{Principal: "ann", Credential: "key", Source: "192.0.2.1", Request: uuid.NewString(), At: w.now}
}

func pick[T any](w *world, from ...T) T { return from[w.draw.IntN(len(from))] }

// names and tags make queries that often match something, and often not.
var (
	dirNames = []string{".", "prod", "prod/net", "prod/db/main", "stage/net", "production"}
	tags     = []string{
		"repo:infra", "repo:apps", "repo:a*", "branch:main", "branch:feature", "branch:fea*", "pr:1", "pr:2", "user:ann", "user:bob", "user:",
		"type:plan", "type:apply", "kind:pr", "kind:drift", "kind:branch", "environment:prod", "environment:", "environment:none",
		"dir:prod", "dir:prod/net", "dir:prod/*", "dir:prod*", "dir:.", "dir:*", "dir:stage/n*", "workspace:default", "workspace:eu",
		"state:queued", "state:running", "state:aborted", "has_changes", "destroys", "duration:1m..", "duration:..30s",
		"created_at:2090-01-01", `"created_at:2090-01-01 00:00..2090-01-01 00:01"`, `"created_at:2090-01-01 00:01.."`, "created_at:..2090",
	}
	ofRuns      = append(slices.Clone(tags), "state:completed")
	ofDirspaces = append(slices.Clone(tags), "state:success", "state:failure", "state:pending")
)

// spec draws a run.
func (w *world) spec() run.Spec {
	s := run.Spec{
		ID: run.NewID(), Repository: installation.Repository(pick(w, vcs.ID("7"), vcs.ID("8"))), Owner: "acme", Name: "infra",
		Type: pick(w, run.Plan, run.Plan, run.Apply, run.UnsafeApply), Base: run.Ref{Branch: "main", Commit: "aa"},
		Source: run.Ref{Branch: pick(w, "main", "feature", "fix"), Commit: pick(w, "bb", "bb", "cc")}, Environment: pick(w, "", "", "prod", "stage"),
		User: pick(w, "", "ann", "bob"), Principal: pick(w, "ann", "bob"),
		Kind: pick(w, run.Kind{Name: run.PullRequest, Number: 1}, run.Kind{Name: run.PullRequest, Number: 2}, run.Kind{Name: run.Drift}, run.Kind{Name: run.Branch}),
	}
	if s.Repository.ID == "8" {
		s.Name = "apps"
	}
	if w.draw.IntN(8) == 0 {
		s.Type = run.Index
	} else {
		for s.Dirspaces == nil {
			for _, name := range dirNames {
				if w.draw.IntN(3) == 0 {
					s.Dirspaces = append(s.Dirspaces, run.Dirspace{Dir: name, Workspace: pick(w, "default", "default", "eu")})
				}
			}
		}
	}
	if w.draw.IntN(9) == 0 { // in chunks
		for i := range 130 {
			s.Dirspaces = append(s.Dirspaces, run.Dirspace{Dir: fmt.Sprintf("many/%03d", i), Workspace: strconv.Itoa(i % 7)})
		}
	}
	w.draw.Shuffle(len(s.Dirspaces), func(i, j int) { s.Dirspaces[i], s.Dirspaces[j] = s.Dirspaces[j], s.Dirspaces[i] })
	return s
}

// create creates a run, and sometimes one of another installation.
func (w *world) create() {
	w.now, w.known = w.now.Add(time.Duration(pick(w, 0, 0, 1, 7))*time.Second), nil
	s := w.spec()
	if w.draw.IntN(10) == 0 {
		s.Repository.Installation.ID = "43"
		s.Repository.ID += "0"
	}
	w.createAs(s)
}

// createAs creates a run.
func (w *world) createAs(s run.Spec) {
	if s.Repository.Installation == installation {
		w.made = append(w.made, s.ID)
	}
	made, err := w.store.Create(w.t.Context(), runstore.Creation{
		Spec: s, Token: runstore.Token{Hash: []byte("hash"), Sealed: []byte("sealed")}, Manifest: runstore.Manifest{Body: []byte("{}")},
	}, w.author())
	if err != nil {
		w.t.Fatal(err)
	}
	if made.Run.ID != s.ID {
		w.t.Fatalf("created %s, want %s", made.Run.ID, s.ID)
	}
}

// change changes some run.
func (w *world) change() {
	if len(w.made) == 0 {
		return
	}
	w.known = nil
	ctx, later := w.t.Context(), w.author()
	later.At = w.now.Add(time.Duration(w.draw.IntN(120)) * time.Second)
	var err error
	switch id := pick(w, w.made...); w.draw.IntN(8) {
	case 0:
		_, _, err = w.store.Abort(ctx, id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, later)
	case 1, 2, 3:
		var got run.Run
		var ok bool
		if got, ok, err = w.store.Claim(ctx, installation.Repository(pick(w, vcs.ID("7"), vcs.ID("8"))), time.Minute, w.author()); ok {
			w.job++
			_, err = w.store.Initiate(ctx, got.ID, runstore.CIJob{Run: strconv.Itoa(w.job), Commit: got.Source.Commit}, w.author())
		}
	case 4, 5, 6:
		r := w.get(id)
		if r.State == run.Aborted {
			return
		}
		result := run.Result{Success: w.draw.IntN(3) > 0}
		for range r.Dirspaces {
			result.Outcomes = append(result.Outcomes, pick(w, 0, run.HasResult, run.HasResult|run.Succeeded,
				run.HasResult|run.Succeeded, run.HasResult|run.Succeeded|run.PlanStored|run.HasChanges, run.HasResult|run.Succeeded|run.HasChanges|run.Destroys))
		}
		_, err = w.store.Complete(ctx, id, result, later)
	default:
		if w.draw.IntN(6) == 0 {
			r := w.get(id)
			_, err = w.store.Unlock(ctx, r.Repository, r.Origin(), "bob", later)
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) get(id run.ID) run.Run {
	r, err := w.store.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// runs returns the runs of the installation.
func (w *world) runs() []run.Run {
	if w.known == nil {
		for _, id := range w.made {
			w.known = append(w.known, w.get(id))
		}
	}
	return w.known
}

// query draws a query of a list.
func (w *world) query(list runquery.List, from []string) (string, runquery.Query) {
	text := w.expression(from, w.draw.IntN(4))
	q, err := list.Compile(text, "", w.now)
	if err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	return text, q
}

func (w *world) expression(from []string, depth int) string {
	if depth == 0 {
		if w.draw.IntN(20) == 0 && len(w.made) > 0 {
			return "id:" + string(pick(w, w.made...))
		}
		return pick(w, from...)
	}
	left, right := w.expression(from, depth-1), w.expression(from, depth-1)
	switch w.draw.IntN(5) {
	case 0:
		return "not (" + left + ")"
	case 1, 2:
		return "(" + left + ") or (" + right + ")"
	default:
		return "(" + left + ") and (" + right + ")"
	}
}

// naive is a row of either list, as the reference describes it.
type naive map[string][]string

// naiveRun returns the row of a run.
func naiveRun(r run.Run) naive {
	n := naive{
		"id": {string(r.ID)}, "repo": {r.Name}, "branch": {r.Source.Branch}, "type": {string(r.Type)}, "kind": {string(r.Kind.Name)},
		"created_at": {r.CreatedAt.UTC().Truncate(time.Second).Format(time.RFC3339)}, "state": {string(r.State)},
	}
	if r.Type == run.UnsafeApply {
		n["type"] = append(n["type"], "apply")
	}
	if r.Kind.Number > 0 {
		n["pr"] = []string{fmt.Sprint(r.Kind.Number)}
	}
	if r.User != "" {
		n["user"] = []string{r.User}
	}
	if r.Environment != "" {
		n["environment"] = []string{r.Environment}
	}
	if r.State.Ended() && !r.StartedAt.IsZero() {
		n["duration"] = []string{fmt.Sprint(int(r.EndedAt.Sub(r.StartedAt).Seconds()))}
	}
	for _, d := range r.Dirspaces {
		n["dir"], n["workspace"] = append(n["dir"], d.Dir), append(n["workspace"], d.Workspace)
	}
	for key := range naiveFlags {
		seen := map[string]bool{}
		for at := range r.Dirspaces {
			seen[naiveFlag(r, at, key)] = true
		}
		switch {
		case seen["true"]:
			n[key] = []string{"true"}
		case seen["false"] && !seen["unknown"]:
			n[key] = []string{"false"}
		}
	}
	return n
}

var naiveFlags = map[string]run.Outcome{"has_changes": run.HasChanges, "destroys": run.Destroys}

// naiveFlag says what is known of the plan of a dirspace: "true", "false" or "unknown".
func naiveFlag(r run.Run, at int, key string) string {
	if r.Result == nil || r.Type != run.Plan && r.Type != run.AutoPlan {
		return "unknown"
	}
	switch r.Result.Outcomes[at] {
	case 0, run.HasResult: // no result, or the plan failed
		return "unknown"
	default:
		return fmt.Sprint(r.Result.Outcomes[at]&naiveFlags[key] != 0)
	}
}

// naiveDirspace returns the row of a dirspace.
func naiveDirspace(r run.Run, at int) naive {
	n := naiveRun(r)
	n["dir"], n["workspace"] = []string{r.Dirspaces[at].Dir}, []string{r.Dirspaces[at].Workspace}
	for key := range naiveFlags {
		delete(n, key)
		if flag := naiveFlag(r, at, key); flag != "unknown" {
			n[key] = []string{flag}
		}
	}
	if r.Result == nil {
		return n
	}
	o := r.Result.Outcomes[at]
	n["state"] = []string{"failure"}
	if o&run.Succeeded != 0 {
		n["state"] = []string{"success"}
	}
	return n
}

// Texts implements runquery.Row.
func (n naive) Texts(key string) []string { return n[key] }

// Number implements runquery.Row.
func (n naive) Number(key string) (int64, bool) {
	if len(n[key]) == 0 {
		return 0, false
	}
	number, err := strconv.ParseInt(n[key][0], 10, 64)
	return number, err == nil
}

// Time implements runquery.Row.
func (n naive) Time(key string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339, n[key][0])
	return at, err == nil
}

// Flag implements runquery.Row.
func (n naive) Flag(key string) (value, ok bool) {
	return len(n[key]) > 0 && n[key][0] == "true", len(n[key]) > 0
}

// shown is a row of a list, by what the test compares.
type shown struct{ second, dir, workspace, id string }

func (s shown) compare(other shown) int {
	return cmp.Or(strings.Compare(s.second, other.second), strings.Compare(s.dir, other.dir), strings.Compare(s.workspace, other.workspace), strings.Compare(s.id, other.id))
}

func shownRun(r run.Run) shown {
	return shown{second: r.CreatedAt.UTC().Format(time.RFC3339), id: string(r.ID)}
}

func shownDirspace(r run.Run, d run.Dirspace) shown {
	s := shownRun(r)
	s.dir, s.workspace = d.Dir, d.Workspace
	return s
}

// wantRuns and wantDirspaces return what a list must show, the oldest first.
func (w *world) wantRuns(q runquery.Query) []shown {
	var list []shown
	for _, r := range w.runs() {
		if q.Match(naiveRun(r)) {
			list = append(list, shownRun(r))
		}
	}
	slices.SortFunc(list, shown.compare)
	return list
}

func (w *world) wantDirspaces(q runquery.Query) []shown {
	var list []shown
	for _, r := range w.runs() {
		for i, d := range r.Dirspaces {
			if q.Match(naiveDirspace(r, i)) {
				list = append(list, shownDirspace(r, d))
			}
		}
	}
	slices.SortFunc(list, shown.compare)
	return list
}

// rows returns the rows of the installation's index, except those of changes.
func (w *world) rows() []string {
	w.t.Helper()
	out, err := w.store.DB.Scan(w.t.Context(), &dynamodb.ScanInput{TableName: &w.store.Table})
	if err != nil {
		w.t.Fatal(err)
	}
	if out.LastEvaluatedKey != nil {
		w.t.Fatal("the table is too large for one scan")
	}
	var found []string
	for _, item := range out.Items {
		pk := attr.Read(item).String("pk")
		if strings.HasPrefix(pk, "IDX#github#42#") && !strings.HasPrefix(pk, "IDX#github#42#changed#") {
			found = append(found, pk)
		}
	}
	return found
}
