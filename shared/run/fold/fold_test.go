package fold_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/fold"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// born is the time of the tests. It lies in the future, so that nothing expires.
var born = time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)

var repository = vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7")

type rig struct {
	env *storagetest.Env
	fold.Folder
	outputs *output.Store
}

func newRig(t testing.TB) *rig { return over(storagetest.New(t)) }

func over(env *storagetest.Env) *rig {
	name := env.Table("RunsTable")
	outputs := output.New(env.DynamoDB, env.S3, name, env.Bucket("RunsBucket"))
	return &rig{env, fold.Folder{
		Runs: runstore.Store{
			DB: env.DynamoDB, Table: name, Limits: runstore.Limits{Keep: 90 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour},
		},
		Standing: standing.Store{Table: table.Table{DB: env.DynamoDB, Name: name}}, Results: outputs,
	}, outputs}
}

func author() change.Author {
	return change.Author{Principal: "ann", Request: uuid.NewString(), At: born}
}

// create makes a run of pull request 17.
func (r *rig) create(t testing.TB, of run.Type, names ...string) run.ID {
	t.Helper()
	s := run.Spec{
		ID: run.NewID(), Repository: repository, Owner: "acme", Name: "infra", Type: of, Kind: run.Kind{Name: run.PullRequest, Number: 17},
		Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"}, Principal: "ann",
	}
	for _, name := range names {
		s.Dirspaces = append(s.Dirspaces, run.Dirspace{Dir: name, Workspace: "default"})
	}
	if _, err := r.Runs.Create(t.Context(), runstore.Creation{
		Spec: s, Token: runstore.Token{Hash: []byte("h"), Sealed: []byte("s")}, Manifest: runstore.Manifest{Body: []byte("{}")},
	}, author()); err != nil {
		t.Fatal(err)
	}
	return s.ID
}

// start lets the runner of a run ask for its work.
func (r *rig) start(t testing.TB, id run.ID) {
	t.Helper()
	claimed, ok, err := r.Runs.Claim(t.Context(), repository, time.Minute, author())
	if err != nil || !ok || claimed.ID != id {
		t.Fatalf("claimed %s, %t, %v", claimed.ID, ok, err)
	}
	if _, err := r.Runs.Initiate(t.Context(), id, runstore.CIJob{Run: string(id), Commit: "bb"}, author()); err != nil {
		t.Fatal(err)
	}
}

// complete sends a result as the runner does.
func (r *rig) complete(t testing.TB, id run.ID, steps ...string) {
	t.Helper()
	found, err := result.Decode([]byte(`{"steps":[` + strings.Join(steps, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := r.outputs.Put(t.Context(), id, found, born.Add(r.Runs.Limits.Keep))
	if err != nil {
		t.Fatal(err)
	}
	of := r.get(t, id)
	if _, err := r.Runs.Complete(t.Context(), id, run.Result{
		Outcomes: found.Outcomes(of.Dirspaces), Success: found.Success, Steps: stored.Steps, Payload: stored.Payload,
	}, author()); err != nil {
		t.Fatal(err)
	}
}

func step(name, dir string, success bool, payload string) string {
	return fmt.Sprintf(`{"step":%q,"success":%t,"scope":{"type":"dirspace","dir":%q,"workspace":"default"},"payload":%s}`, name, success, dir, payload)
}

func (r *rig) get(t testing.TB, id run.ID) run.Run {
	t.Helper()
	found, err := r.Runs.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// fold folds a run in, which comes without the dirspaces that are in chunks.
func (r *rig) fold(t testing.TB, id run.ID) {
	t.Helper()
	found, err := r.Runs.Many(t.Context(), []run.ID{id})
	if err == nil {
		err = r.Run(t.Context(), found[id])
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rows returns all that stands, by directory.
func (r *rig) rows(t testing.TB) map[string]standing.Shown {
	t.Helper()
	found := map[string]standing.Shown{}
	q := runindex.Request[standing.Place]{Limit: 100}
	for {
		page, err := standing.Lists{Store: r.Standing, Runs: r.Runs}.List(t.Context(), repository.Installation, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Rows {
			found[row.Dir] = row
		}
		if q.From = page.On; q.From == nil {
			return found
		}
	}
}

// folded checks that no run waits to be folded in.
func (r *rig) folded(t testing.TB) {
	t.Helper()
	rows, err := r.Runs.Active(t.Context(), repository)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range rows {
		if a.State.Ended() {
			t.Errorf("%s was not folded in", a.ID)
		}
	}
}

const (
	planned = `{"text":"Plan: 1 to add, 0 to change, 0 to destroy.","has_changes":true}`
	applied = `{"text":"done","outputs":{"url":{"sensitive":false,"type":"string","value":"https://a"},"key":{"sensitive":true,"type":"string","value":"planted"}}}`
)

func TestWhatRunsDidStands(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	plan := r.create(t, run.Plan, "net", "app", "left")
	r.start(t, plan)
	r.complete(t, plan, step("tf/plan", "net", true, planned), step("tf/plan", "app", false, `{"text":"error"}`))
	r.fold(t, plan)
	got := r.rows(t)
	if len(got) != 2 || got["net"].WaitingPlan() == nil || got["net"].WaitingPlan().Run != plan || got["app"].States()[0] != standing.PlanFailed {
		t.Fatalf("after the plan: %+v", got)
	}
	apply := r.create(t, run.Apply, "net", "app")
	r.start(t, apply)
	if got := r.rows(t); got["net"].Holder == nil || got["net"].Holder.ID != apply {
		t.Errorf("during the apply, net is held by %+v", got["net"].Holder)
	}
	r.complete(t, apply, step("tf/apply", "net", true, applied), step("tf/apply", "app", false, `{"text":"error"}`))
	for range 2 {
		r.fold(t, apply)
	}
	r.folded(t)
	got = r.rows(t)
	if net := got["net"]; net.WaitingPlan() != nil || net.Apply.Run != apply || net.States()[0] != standing.Clean || net.Holder != nil ||
		net.Outputs == nil || len(net.Outputs.List) != 2 || net.Outputs.Run != apply || string(net.Outputs.List[1].Value) != `"https://a"` {
		t.Errorf("after the apply, net: %+v", net)
	}
	if app := got["app"]; app.States()[0] != standing.ApplyFailed || app.Outputs != nil {
		t.Errorf("after the apply, app: %+v", app)
	}
	if strings.Contains(r.env.Dump("RunsTable"), "planted") {
		t.Error("the value of a sensitive output is stored")
	}
}

// TestRunsThatDoNotCount folds in runs that change nothing about what stands.
func TestRunsThatDoNotCount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	void := r.create(t, run.Plan, "net")
	r.start(t, void)
	r.complete(t, void, step("tf/plan", "net", true, planned))
	if _, err := r.Runs.Unlock(t.Context(), repository, run.OriginOfPullRequest(17), "ann", author()); err != nil {
		t.Fatal(err)
	}
	index := r.create(t, run.Index, "net")
	r.complete(t, index, step("tf/plan", "net", true, planned))
	apply := r.create(t, run.Apply, "net")
	if _, ok, err := r.Runs.Claim(t.Context(), repository, time.Minute, author()); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, _, err := r.Runs.Abort(t.Context(), apply, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, author()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []run.ID{void, index, apply} {
		r.fold(t, id)
	}
	r.folded(t)
	if got := r.rows(t); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

// TestApplyCountsAlthoughItIsVoidOrAborted uses an apply whose runner has begun: it may
// have changed something.
func TestApplyCountsAlthoughItIsVoidOrAborted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	plan, apply := r.create(t, run.Plan, "net"), r.create(t, run.Apply, "net")
	r.start(t, apply)
	if _, err := r.Runs.Unlock(t.Context(), repository, run.OriginOfPullRequest(17), "ann", author()); err != nil {
		t.Fatal(err)
	}
	r.fold(t, plan)
	r.fold(t, apply)
	r.folded(t)
	if got := r.rows(t); len(got) != 1 || !got["net"].Apply.Aborted || got["net"].Plan != nil || got["net"].States()[0] != standing.ApplyFailed {
		t.Errorf("got %+v", got)
	}
}

// TestUnlockAfterwardsEndsWhatWaits folds in a plan first, and unlocks then.
func TestUnlockAfterwardsEndsWhatWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	plan := r.create(t, run.Plan, "net")
	r.complete(t, plan, step("tf/plan", "net", true, planned))
	r.fold(t, plan)
	if _, err := r.Runs.Unlock(t.Context(), repository, run.OriginOfPullRequest(17), "ann", author()); err != nil {
		t.Fatal(err)
	}
	if got := r.rows(t)["net"]; got.WaitingPlan() != nil || !got.Plan.Void || len(got.States()) != 0 {
		t.Errorf("got %+v", got)
	}
}

// TestFoldThatIsKilledIsMadeGood kills a fold at each of its calls, and folds again.
func TestFoldThatIsKilledIsMadeGood(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for nth, there := 1, true; there; nth++ {
		name := fmt.Sprintf("d%02d", nth)
		apply := r.create(t, run.Apply, name, name+"/below")
		r.start(t, apply)
		r.complete(t, apply, step("tf/apply", name, true, applied), step("tf/apply", name+"/below", true, `{}`))
		var mu sync.Mutex
		calls := 0
		faults := &storagetest.Faults{Choose: func(string) storagetest.Fault {
			mu.Lock()
			defer mu.Unlock()
			switch calls++; {
			case calls > nth:
				return storagetest.Fault{Kind: storagetest.Refuse}
			case calls == nth:
				return storagetest.Fault{Kind: storagetest.LoseAnswer}
			}
			return storagetest.Fault{}
		}}
		_ = over(r.env.WithFaults(faults)).Run(t.Context(), r.get(t, apply)) // it was killed, so its error does not matter
		there = calls >= nth
		got := r.rows(t)
		if open, err := r.Runs.Unfolded(t.Context(), r.get(t, apply)); err != nil || !open && (got[name].Apply == nil || got[name+"/below"].Apply == nil) {
			t.Fatalf("killed at call %d: the active row is there: %t, %v, and %+v stands", nth, open, err, got[name])
		}
		r.fold(t, apply)
		got = r.rows(t)
		if a, b := got[name], got[name+"/below"]; a.Apply.Run != apply || b.Apply.Run != apply || a.Outputs.Run != apply || len(a.Outputs.List) != 2 || len(b.Outputs.List) != 0 {
			t.Fatalf("killed at call %d: %+v and %+v stand", nth, a, b)
		}
	}
	r.folded(t)
}

// TestLargeRunIsFoldedInWithFewWrites uses a run whose dirspaces are in chunks.
func TestLargeRunIsFoldedInWithFewWrites(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var names, steps []string
	for i := range 130 {
		names = append(names, fmt.Sprintf("many/%03d", i))
		steps = append(steps, step("tf/plan", names[i], true, planned))
	}
	plan := r.create(t, run.Plan, names...)
	r.complete(t, plan, steps...)
	found, err := r.Runs.Many(t.Context(), []run.ID{plan})
	if err != nil || len(found[plan].Dirspaces) != 0 {
		t.Fatalf("%v, %v", found, err)
	}
	faults := &storagetest.Faults{}
	if err := over(r.env.WithFaults(faults)).Run(t.Context(), found[plan]); err != nil {
		t.Fatal(err)
	}
	// The row, the row of the pull request, and once the name of the repository.
	if got, most := faults.Calls("UpdateItem"), 2*len(names)+1; got > most {
		t.Errorf("%d writes were made, want at most %d", got, most)
	}
	if got := r.rows(t); len(got) != len(names) {
		t.Errorf("%d rows stand", len(got))
	}
	r.folded(t)
}
