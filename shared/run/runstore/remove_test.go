package runstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// full makes runs of the repository in each state, with all that can hang on them.
func full(t *testing.T, s runstore.Store) {
	t.Helper()
	for i, ended := range []func(run.ID){
		func(id run.ID) { start(t, s, id, "1", 0) },
		func(id run.ID) {
			got := claim(t, s, id, 0)
			if _, err := s.Dispatched(t.Context(), got, runstore.HostRun{ID: "pipeline"}, at(0)); err != nil {
				t.Fatal(err)
			}
		},
		func(id run.ID) {
			start(t, s, id, "3", 0)
			if _, err := s.Complete(t.Context(), id, done(601), at(0)); err != nil {
				t.Fatal(err)
			}
		},
		func(id run.ID) { abort(t, s, id) },
		func(run.ID) {},
	} {
		list := dirs("a" + string(rune('a'+i)))
		if i == 2 {
			list = many(601)
		}
		id := create(t, s, creation(run.Plan, list), 0).ID
		item := runstore.Key(id)
		item["sk"] = attr.String("PLAN#1") // of another package
		if err := runstoreTable(s).Put(t.Context(), item); err != nil {
			t.Fatal(err)
		}
		ended(id)
	}
	if _, err := s.Unlock(t.Context(), repository, run.OriginOfDrift, "bob", at(0)); err != nil {
		t.Fatal(err)
	}
}

// removeAll removes the repository in parts, however often it is interrupted.
func removeAll(t *testing.T, s runstore.Store, before runstore.Before) error {
	t.Helper()
	for {
		if finished, err := s.RemoveRepository(t.Context(), repository, 2, before, at(time.Hour)); err != nil || finished {
			return err
		}
	}
}

// eraseAll removes the installation in parts.
func eraseAll(t *testing.T, s runstore.Store) {
	t.Helper()
	for finished := false; !finished; {
		var err error
		if finished, err = s.RemoveInstallation(t.Context(), repository.Installation, 2, nil, at(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
}

// left returns the items that are left, without those that outlive the runs of a
// repository: its lane, and its place among the repositories with runs.
func left(env *storagetest.Env) string {
	var b strings.Builder
	for line := range strings.Lines(env.Dump("RunsTable")) {
		if !strings.Contains(line, "LANE") && !strings.Contains(line, "RUNREPOS#") {
			b.WriteString(line)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestRemovedRepositoryLeavesNoRun(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	full(t, s)
	seen := map[run.ID]int{}
	if err := removeAll(t, s, func(_ context.Context, r run.Run) error {
		seen[r.ID]++
		if !r.State.Ended() || len(r.Dirspaces) != r.DirspaceCount {
			t.Errorf("the run is %s and has %d of %d dirspaces", r.State, len(r.Dirspaces), r.DirspaceCount)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 5 {
		t.Errorf("other packages were asked to remove %d runs, want 5", len(seen))
	}
	if left := left(env); left != "" {
		t.Errorf("left:\n%s", left)
	}
	// What stands where compares Seqs, so they go on.
	if next := create(t, s, creation(run.Plan, dirs("a")), 0); next.Seq != 7 {
		t.Errorf("the next seq is %d, want 7", next.Seq)
	}
}

// TestErasedInstallationLeavesNothing also erases the counters of a repository whose runs
// were removed before.
func TestErasedInstallationLeavesNothing(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	create(t, s, creation(run.Plan, dirs("a")), 0)
	if err := removeAll(t, s, nil); err != nil {
		t.Fatal(err)
	}
	c := creation(run.Plan, dirs("a"))
	c.Spec.Repository.ID = "8"
	create(t, s, c, 0)
	eraseAll(t, s)
	if left := env.Dump("RunsTable"); left != "" {
		t.Errorf("left:\n%s", left)
	}
}

// TestInterruptedRemovalIsContinued kills a removal after each of its first calls,
// one after the other.
func TestInterruptedRemovalIsContinued(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	full(t, s)
	for nth := 1; interrupted(t, env, func(s runstore.Store) error { return removeAll(t, s, nil) }, "", nth); nth++ {
	}
	if left := left(env); left != "" {
		t.Errorf("left:\n%s", left)
	}
}

func TestRunsOfTheOtherInstallationStay(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	create(t, s, creation(run.Plan, dirs("a")), 0)
	c := creation(run.Plan, dirs("b"))
	c.Spec.Repository = vcs.Installation{VCS: vcs.GitHub, ID: "43"}.Repository(repository.ID)
	stays := create(t, s, c, 0)
	if err := removeAll(t, s, nil); err != nil {
		t.Fatal(err)
	}
	if got := active(t, s); len(got) != 1 || got[stays.ID] != run.Queued {
		t.Errorf("active: %v", got)
	}
	if next := create(t, s, creation(run.Plan, dirs("a")), 0); next.Seq != 3 {
		t.Errorf("the next seq is %d, want 3", next.Seq)
	}
}

func TestUnfinishedCreationIsRemoved(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	c := creation(run.Plan, many(601))
	c.Before = func(context.Context) error { return context.DeadlineExceeded }
	if made, err := s.Create(t.Context(), c, at(0)); err == nil {
		t.Fatalf("created %+v", made)
	}
	finished := create(t, s, creation(run.Plan, dirs("a")), 0)
	list, err := s.Due(t.Context(), runstore.CreatingList, born.Add(time.Hour), 10)
	if err != nil || len(list) != 1 || list[0].ID != c.Spec.ID {
		t.Fatalf("%v, %v", list, err)
	}
	removed := 0
	if err := s.RemoveUnfinished(t.Context(), list[0], func(_ context.Context, r run.Run) error {
		removed = len(r.Dirspaces)
		return nil
	}, at(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if removed != 601 {
		t.Errorf("other packages were asked to remove %d dirspaces", removed)
	}
	if left := env.Dump("RunsTable"); strings.Contains(left, string(c.Spec.ID)) {
		t.Errorf("left:\n%s", left)
	}
	list[0].ID = finished.ID
	if err := s.RemoveUnfinished(t.Context(), list[0], nil, at(time.Hour)); err != nil || state(t, s, finished.ID) != run.Queued {
		t.Errorf("a finished run: %v", err)
	}
}

// TestInterruptedRemovalOfAnUnfinishedCreationIsContinued kills the sweep after each
// of its calls, one after the other.
func TestInterruptedRemovalOfAnUnfinishedCreationIsContinued(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	c := creation(run.Plan, many(601))
	c.Before = func(context.Context) error { return context.DeadlineExceeded }
	if made, err := s.Create(t.Context(), c, at(0)); err == nil {
		t.Fatalf("created %+v", made)
	}
	sweep := func(s runstore.Store) error {
		list, err := s.Due(t.Context(), runstore.CreatingList, born.Add(time.Hour), 10)
		for _, d := range list {
			if _, stale, found := s.Stale(t.Context(), d); found != nil || stale {
				err = errors.Join(err, found)
				continue
			}
			err = errors.Join(err, s.RemoveUnfinished(t.Context(), d, nil, at(time.Hour)))
		}
		return err
	}
	for nth := 1; interrupted(t, env, sweep, "", nth); nth++ {
	}
	if left := env.Dump("RunsTable"); left != "" {
		t.Errorf("left:\n%s", left)
	}
}

// TestCreationThatIsRemovedMeanwhileFails lets the sweep remove a run while it is
// still being created.
func TestCreationThatIsRemovedMeanwhileFails(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	for _, whole := range []bool{true, false} {
		c := creation(run.Plan, dirs("a"))
		c.Before = func(context.Context) error {
			list, err := s.Due(t.Context(), runstore.CreatingList, born.Add(time.Hour), 10)
			if err != nil {
				return err
			}
			sweep := func(s runstore.Store) error {
				return s.RemoveUnfinished(t.Context(), list[0], nil, at(time.Hour))
			}
			if !whole {
				interrupted(t, env, sweep, "UpdateItem", 1)
				return nil
			}
			return sweep(s)
		}
		if made, err := s.Create(t.Context(), c, at(0)); err == nil {
			t.Errorf("created %+v", made)
		}
		if got := active(t, s); len(got) != 0 {
			t.Errorf("active: %v", got)
		}
		if !whole {
			continue
		}
		if left := env.Dump("RunsTable"); strings.Contains(left, string(c.Spec.ID)) {
			t.Errorf("left:\n%s", left)
		}
	}
}
