package runstore_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

// claimAll claims runs until there is none, and returns the names of their first
// directories.
func claimAll(t *testing.T, s runstore.Store, after time.Duration) []string {
	t.Helper()
	var names []string
	for {
		got, ok, err := s.Claim(t.Context(), repository, lease, at(after))
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return names
		}
		names = append(names, got.Dirspaces[0].Dir)
	}
}

func TestQueueTakesAppliesThenPlansThenTheRestAndTheOldestFirst(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	for _, c := range []struct {
		of  run.Type
		dir string
	}{{run.BuildTree, "tree"}, {run.Plan, "plan-1"}, {run.AutoPlan, "plan-2"}, {run.Apply, "apply-1"}, {run.Index, "index"}, {run.AutoApply, "apply-2"}} {
		create(t, s, creation(c.of, dirs(c.dir)), 0)
	}
	if got, want := claimAll(t, s, 0), []string{"apply-1", "apply-2", "plan-1", "plan-2", "tree", "index"}; !slices.Equal(got, want) {
		t.Errorf("claimed %v, want %v", got, want)
	}
}

func TestRunWaitsWhileAnApplyHoldsOneOfItsDirspaces(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	first := create(t, s, creation(run.Apply, dirs("a", "b")), 0)
	create(t, s, creation(run.Apply, dirs("c", "b")), 0)
	create(t, s, creation(run.Plan, dirs("a")), 0)
	create(t, s, creation(run.Plan, dirs("x", "y")), 0)
	otherWorkspace := creation(run.Apply, []run.Dirspace{{Dir: "a", Workspace: "other"}})
	create(t, s, otherWorkspace, 0)
	if got, want := claimAll(t, s, 0), []string{"a", "a", "x"}; !slices.Equal(got, want) {
		t.Errorf("claimed %v, want %v: the first apply, that of another workspace, the plan of another directory", got, want)
	}
	// The claim of the first apply ends, but it may have been dispatched: it blocks.
	if got, want := claimAll(t, s, lease-time.Second), []string(nil); !slices.Equal(got, want) {
		t.Errorf("claimed %v while the leases last", got)
	}
	if _, err := s.Complete(t.Context(), first.ID, done(2), at(lease)); err != nil {
		t.Fatal(err)
	}
	if got, want := claimAll(t, s, lease-time.Second), []string{"c", "a"}; !slices.Equal(got, want) {
		t.Errorf("claimed %v after the first apply, want %v", got, want)
	}
}

func TestPlanHoldsNothing(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	for range 2 {
		create(t, s, creation(run.Plan, dirs("a")), 0)
	}
	create(t, s, creation(run.Apply, dirs("a")), 0)
	if _, ok, err := s.Claim(t.Context(), repository, lease, at(0)); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if got := claimAll(t, s, 0); len(got) != 0 {
		t.Errorf("claimed %v beside the apply", got)
	}
}

func TestRepositoriesDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	elsewhere := repository
	elsewhere.ID = "8"
	claim(t, s, create(t, s, creation(run.Apply, dirs("a")), 0).ID, 0)
	c := creation(run.Apply, dirs("a"))
	c.Spec.Repository = elsewhere
	made := create(t, s, c, 0)
	if made.Seq != 1 {
		t.Errorf("seq %d in a new repository", made.Seq)
	}
	if got, ok, err := s.Claim(t.Context(), elsewhere, lease, at(0)); err != nil || !ok || got.ID != made.ID {
		t.Errorf("claimed %v, %t, %v", got.ID, ok, err)
	}
}

func TestClaimEndsWithItsLeaseUnlessItWasDispatched(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	id := create(t, s, creation(run.Apply, dirs("a")), 0).ID
	first := claim(t, s, id, 0)
	if got := claimAll(t, s, lease-time.Millisecond); len(got) != 0 {
		t.Fatalf("claimed twice: %v", got)
	}
	if got := due(t, s, runstore.DispatchList, lease); !slices.Equal(got, []run.ID{id}) {
		t.Errorf("due: %v", got)
	}
	second := claim(t, s, id, lease)
	if second.Dispatch.Attempt != 2 {
		t.Errorf("attempt %d, want 2", second.Dispatch.Attempt)
	}
	if r, err := s.Dispatched(t.Context(), first, runstore.HostRun{ID: "1"}, at(lease)); err != runstore.ErrLost || r.Dispatch.Attempt != 2 {
		t.Errorf("the first claim: %+v, %v", r.Dispatch, err)
	}
	if _, err := s.DispatchFailed(t.Context(), first, "no", born, at(lease)); err != runstore.ErrLost {
		t.Errorf("the first claim: %v", err)
	}
	for range 2 { // safe to repeat
		if _, err := s.Dispatched(t.Context(), second, runstore.HostRun{ID: "2", URL: "u"}, at(lease)); err != nil {
			t.Fatal(err)
		}
	}
	if got := claimAll(t, s, 1000*time.Hour); len(got) != 0 {
		t.Errorf("claimed after the dispatch: %v", got)
	}
	if found, err := s.ByCIRun(t.Context(), repository, "2"); err != nil || found.ID != id {
		t.Errorf("by what the host started: %s, %v", found.ID, err)
	}
}

func TestFailedDispatchIsTriedAgainAtItsTime(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	id := create(t, s, creation(run.Apply, dirs("a")), 0).ID
	create(t, s, creation(run.Apply, dirs("a")), 0)
	r, err := s.DispatchFailed(t.Context(), claim(t, s, id, 0), "the host is away", born.Add(time.Hour), at(0))
	if err != nil || r.Dispatch.Problem != "the host is away" || r.State != run.Queued {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := claimAll(t, s, time.Hour-time.Millisecond); len(got) != 0 {
		t.Errorf("claimed before: %v", got)
	}
	if got := due(t, s, runstore.DispatchList, time.Hour); !slices.Contains(got, id) {
		t.Errorf("due: %v", got)
	}
	if got := claim(t, s, id, time.Hour); got.Dispatch.Attempt != 2 || got.Dispatch.Problem != "" {
		t.Errorf("%+v", got.Dispatch)
	}
}

// TestRunnerMayBeFasterThanTheDispatch lets the runner ask for its work before the
// dispatch is recorded.
func TestRunnerMayBeFasterThanTheDispatch(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	id := create(t, s, creation(run.Apply, dirs("a")), 0).ID
	got := claim(t, s, id, 0)
	if _, err := s.Initiate(t.Context(), id, job("1"), at(0)); err != nil {
		t.Fatal(err)
	}
	if r, err := s.DispatchFailed(t.Context(), got, "timeout", born, at(0)); err != nil || r.State != run.Running {
		t.Errorf("failed: %s, %v", r.State, err)
	}
	if r, err := s.Dispatched(t.Context(), got, runstore.HostRun{ID: "pipeline 5"}, at(0)); err != nil || r.State != run.Running || r.Dispatch.ID != "pipeline 5" || r.CIRun != "1" {
		t.Errorf("dispatched: %+v, %v", r, err)
	}
	for list, want := range map[runstore.List]int{runstore.DispatchList: 0, runstore.StartList: 0, runstore.ReportList: 1} {
		if got := due(t, s, list, 1000*time.Hour); len(got) != want {
			t.Errorf("%s has %v", list, got)
		}
	}
	for _, ci := range []string{"1", "pipeline 5"} {
		if found, err := s.ByCIRun(t.Context(), repository, ci); err != nil || found.ID != id {
			t.Errorf("by %s: %s, %v", ci, found.ID, err)
		}
	}
}

func TestSweepFindsWhatIsDueAndDropsTheRest(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ctx := t.Context()
	id := create(t, s, creation(run.Plan, dirs("a")), 0).ID
	got := claim(t, s, id, 0)
	if _, err := s.Dispatched(ctx, got, runstore.HostRun{}, at(0)); err != nil {
		t.Fatal(err)
	}
	list, err := s.Due(ctx, runstore.StartList, born.Add(15*time.Minute), 10)
	if err != nil || len(list) != 1 || !list[0].At.Equal(born.Add(15*time.Minute)) {
		t.Fatalf("%v, %v", list, err)
	}
	seen, stale, err := s.Stale(ctx, list[0])
	if err != nil || stale || seen.ID != id {
		t.Fatalf("%s, %t, %v", seen.ID, stale, err)
	}
	if err := s.Postpone(ctx, seen, born.Add(time.Hour), at(15*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := s.Postpone(ctx, seen, born.Add(2*time.Hour), at(15*time.Minute)); err != runstore.ErrLost {
		t.Errorf("postpone a run that changed: %v", err)
	}
	if _, stale, err := s.Stale(ctx, list[0]); err != nil || !stale {
		t.Errorf("the old entry: %t, %v", stale, err)
	}
	if got := due(t, s, runstore.StartList, time.Hour-time.Millisecond); len(got) != 0 {
		t.Errorf("due too early: %v", got)
	}
	if got := due(t, s, runstore.StartList, time.Hour); !slices.Equal(got, []run.ID{id}) {
		t.Errorf("due: %v", got)
	}
}

func TestUnlockEndsWhatExistsAndNothingLater(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ctx := t.Context()
	of := func(kind run.Kind, list ...string) run.ID {
		c := creation(run.Apply, dirs(list...))
		c.Spec.Kind = kind
		return create(t, s, c, 0).ID
	}
	pr, other, drift := run.Kind{Name: run.PullRequest, Number: 17}, run.Kind{Name: run.PullRequest, Number: 18}, run.Kind{Name: run.Drift}
	isRunning, completed, queued := of(pr, "a"), of(pr, "b"), of(pr, "c")
	others := []run.ID{of(other, "d"), of(drift, "e"), of(run.Kind{Name: run.Branch}, "f")}
	for i, id := range []run.ID{isRunning, completed} {
		start(t, s, id, []string{"1", "2"}[i], 0)
	}
	if _, err := s.Complete(ctx, completed, done(1), at(0)); err != nil {
		t.Fatal(err)
	}
	aborted, err := s.Unlock(ctx, repository, run.OriginOfPullRequest(17), "bob", at(time.Minute))
	if err != nil || len(aborted) != 2 {
		t.Fatalf("aborted %v, %v", aborted, err)
	}
	for _, r := range aborted {
		if r.Reason != run.ReasonUnlocked("bob") || r.ID != isRunning && r.ID != queued {
			t.Errorf("aborted %s: %+v", r.ID, r.Reason)
		}
	}
	if got := state(t, s, completed); got != run.Completed {
		t.Errorf("the completed run is %s", got)
	}
	for _, id := range others {
		if got := state(t, s, id); got != run.Queued {
			t.Errorf("a run of another origin is %s", got)
		}
	}
	u, err := s.Unlocked(ctx, repository, run.OriginOfPullRequest(17))
	if err != nil || u.Seq != 7 || !u.At.Equal(born.Add(time.Minute)) || u.By != "bob" {
		t.Errorf("%+v, %v", u, err)
	}
	later := create(t, s, creation(run.Apply, dirs("a")), time.Minute)
	if u.Ends(later.Seq) || !u.Ends(later.Seq-1) {
		t.Errorf("the unlock of %d ends %d or not %d", u.Seq, later.Seq, later.Seq-1)
	}
	if got, want := claimAll(t, s, time.Minute), []string{"d", "e", "f", "a"}; !slices.Equal(got, want) {
		t.Errorf("claimed %v, want %v", got, want)
	}
	if u, err := s.Unlocked(ctx, repository, run.OriginOfDrift); err != nil || u != (runstore.Unlocked{}) {
		t.Errorf("drift: %+v, %v", u, err)
	}
}

// TestUnlockBetweenTheLastCheckAndTheQueueingIsChecked unlocks a pull request when the
// creation of an apply has found that its plan counts, and before the apply is queued.
func TestUnlockBetweenTheLastCheckAndTheQueueingIsChecked(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	plan := create(t, s, creation(run.Plan, dirs("a")), 0)
	var f storagetest.Faults
	f.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 2, Before: func() { // the first one begins the creation
		if _, err := s.Unlock(t.Context(), repository, plan.Origin(), "bob", at(0)); err != nil {
			t.Error(err)
		}
	}})
	void := errors.New("the plan is void")
	c, checks := creation(run.Apply, dirs("a")), 0
	c.Check = func(ctx context.Context) error {
		checks++
		if u, err := s.Unlocked(ctx, repository, plan.Origin()); err != nil || u.Ends(plan.Seq) {
			return errors.Join(void, err)
		}
		return nil
	}
	if _, err := over(env.WithFaults(&f)).Create(t.Context(), c, at(0)); !errors.Is(err, void) || checks != 2 {
		t.Errorf("after %d checks: %v", checks, err)
	}
	if got := claimAll(t, s, 0); len(got) != 0 {
		t.Errorf("claimed %v", got)
	}
}

// TestUnlockEndsARunThatIsQueuedWhileItIsStored creates a run after the unlock has read
// the order, and before it is stored.
func TestUnlockEndsARunThatIsQueuedWhileItIsStored(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	var made run.Run
	var f storagetest.Faults
	f.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Before: func() { made = create(t, s, creation(run.Apply, dirs("a")), 0) }})
	aborted, err := over(env.WithFaults(&f)).Unlock(t.Context(), repository, run.OriginOfPullRequest(17), "bob", at(0))
	if err != nil || len(aborted) != 1 || aborted[0].ID != made.ID {
		t.Errorf("aborted %+v, %v; want %s", aborted, err, made.ID)
	}
	if later := create(t, s, creation(run.Apply, dirs("a")), 0); later.Seq != 3 {
		t.Errorf("the next run has the place %d, want 3", later.Seq)
	}
}

// TestUnlockOfARepositoryWithoutRunsIsErasedWithItsInstallation finds the repository by
// its unlock alone.
func TestUnlockOfARepositoryWithoutRunsIsErasedWithItsInstallation(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	if _, err := s.Unlock(t.Context(), repository, run.OriginOfDrift, "bob", at(0)); err != nil {
		t.Fatal(err)
	}
	eraseAll(t, s)
	if rest := env.Dump("RunsTable"); rest != "" {
		t.Errorf("left:\n%s", rest)
	}
}

// TestRunOfAnInterruptedUnlockIsNeitherClaimedNorBegun stores an unlock as one that
// died before it aborted a run.
func TestRunOfAnInterruptedUnlockIsNeitherClaimedNorBegun(t *testing.T) {
	t.Parallel()
	for _, begun := range []bool{false, true} {
		env, s := open(t)
		id := create(t, s, creation(run.Apply, dirs("a")), 0).ID
		if begun {
			claim(t, s, id, 0)
		}
		interrupted(t, env, func(s runstore.Store) error {
			_, err := s.Unlock(t.Context(), repository, run.OriginOfPullRequest(17), "bob", at(0))
			return err
		}, "TransactWriteItems", 1)
		if got := state(t, s, id); got != run.Queued {
			t.Fatalf("the run is %s", got)
		}
		if begun {
			if i, err := s.Initiate(t.Context(), id, job("1"), at(0)); err != nil || i.Work || !i.Aborted {
				t.Errorf("initiate: %+v, %v", i, err)
			}
		} else if got := claimAll(t, s, 0); len(got) != 0 {
			t.Errorf("claimed %v", got)
		}
		if r, err := s.Get(t.Context(), id); err != nil || r.State != run.Aborted || r.Reason.Code != run.Unlocked {
			t.Errorf("the run is %s because of %q, %v", r.State, r.Reason.Code, err)
		}
	}
}

func TestRunsOfAMovedRepositoryExcludeEachOther(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	claim(t, s, create(t, s, creation(run.Apply, dirs("a")), 0).ID, 0)
	c := creation(run.Apply, dirs("a"))
	c.Spec.Repository = vcs.Installation{VCS: vcs.GitHub, ID: "43"}.Repository(repository.ID)
	if made := create(t, s, c, 0); made.Seq != 2 {
		t.Errorf("seq %d, want 2", made.Seq)
	}
	if got := claimAll(t, s, 0); len(got) != 0 {
		t.Errorf("claimed %v", got)
	}
}
