package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// disturbance counts the calls of a worker to the storage and to the host, one at a
// time. At one of them it does something.
type disturbance struct {
	mu    sync.Mutex
	calls int
	nth   int
	kill  context.CancelFunc // ends the worker at the nth call; nil does not end it
	act   func()             // runs before the nth call, if the worker is not ended
}

// next returns whether this call is the last one of a worker that is killed, and
// whether it comes after the last one.
func (d *disturbance) next() (last, dead bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	if d.calls == d.nth && d.act != nil {
		d.act()
	}
	if d.kill == nil || d.calls < d.nth {
		return false, false
	}
	if d.calls == d.nth {
		return true, false
	}
	d.kill()
	return false, true
}

// storage returns the faults of calls to tables: the last call takes effect, but
// its response is lost.
func (d *disturbance) storage() *storagetest.Faults {
	return &storagetest.Faults{Choose: func(string) storagetest.Fault {
		switch last, dead := d.next(); {
		case dead:
			return storagetest.Fault{Kind: storagetest.Refuse}
		case last:
			return storagetest.Fault{Kind: storagetest.LoseAnswer}
		}
		return storagetest.Fault{}
	}}
}

// host returns the failure of a request to a host.
func (d *disturbance) host(string) *vcstest.Failure {
	if last, dead := d.next(); last || dead {
		d.kill()
		return &vcstest.Failure{}
	}
	return nil
}

// disturb makes a new worker work at a task. It returns how many calls the worker
// made.
func (r *rig) disturb(t *testing.T, d *disturbance, kills bool, ids ...string) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if kills {
		d.kill = cancel
	}
	r.github.Choose(d.host)
	r.wakeIn(ctx, t, r.over(r.Role.WithFaults(d.storage())), ids...)
	r.github.Choose(nil)
	return d.calls
}

// scene prepares an installation for a refresh with three pages. The refresh finds
// one new repository, and two that are gone, one of them public.
func (r *rig) scene(t *testing.T, installation string) (there []vcstest.Repository, id string) {
	t.Helper()
	before := vcs.Moment{At: r.Clock.Now().Add(-time.Hour)}.Version(r.Clock.Now(), "before")
	all := many(9)
	for _, repo := range all {
		seen := vcs.Description{ID: vcs.ID(fmt.Sprint(repo.ID)), Owner: repo.Owner, Name: "before-" + repo.Name}
		if err := r.repositories.Apply(t.Context(), r.author(), vcs.Installation{VCS: "github", ID: vcs.ID(installation)}, seen, before); err != nil {
			t.Fatal(err)
		}
	}
	for i, repo := range []string{"2", "3", "2", "9"} {
		r.pullOf(t, installation, repo, int64(i+1), string(before))
	}
	r.github.Publish(all[1])
	there = append(slices.Clone(all[:1]), all[3:]...) // without 2 and 3
	there = append(there, vcstest.Repository{ID: 70, Owner: "acme", Name: "new", DefaultBranch: "main"})
	r.github.Install(installation, there...)
	return there, r.start(t, "github", installation)
}

// TestRefreshThatIsKilledAnywhereEndsAsAnUndisturbedOne kills a worker at each of
// its calls to the storage and to the host, one after the other.
func TestRefreshThatIsKilledAnywhereEndsAsAnUndisturbedOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.part = 3
	r.Worker = r.over(r.Role)
	for n, ended := 1, false; !ended; n += storagetest.Sample(1, 5) {
		installation := fmt.Sprint(1000 + n)
		there, id := r.scene(t, installation)
		calls := r.disturb(t, &disturbance{nth: n}, true, id)
		ended = calls < n
		r.settle(t)
		if got := r.task(t, id); got.State != task.Completed {
			t.Fatalf("killed at call %d: %+v", n, got)
		}
		if got := r.listed(t, "github", installation); !slices.Equal(got, want(there)) {
			t.Fatalf("killed at call %d: listed %v", n, got)
		}
		if got := r.pullsOf(t, installation); !slices.Equal(got, []string{"4/9"}) {
			t.Fatalf("killed at call %d: pull requests %v", n, got)
		}
		if ended && calls < 30 {
			t.Errorf("an undisturbed refresh made %d calls: that is not all of it", calls)
		}
	}
}

// TestRefreshLetsDeletionsAndEventsStand lets something happen before each call of
// a refresh, one after the other.
func TestRefreshLetsDeletionsAndEventsStand(t *testing.T) {
	t.Parallel()
	later := func(r *rig) vcs.Version { return vcs.Moment{At: r.Clock.Now()}.Version(r.Clock.Now(), "later") }
	for name, c := range map[string]struct {
		act   func(*testing.T, *rig, string)
		check func(listed, pulls []string) bool
	}{
		"deletion": {func(t *testing.T, r *rig, installation string) {
			removal := repository.RemovalTask("ann", vcs.Installation{VCS: "github", ID: vcs.ID(installation)}.Repository("9"), later(r))
			done, err := r.repositories.Remove(t.Context(), r.author(), vcs.Installation{VCS: "github", ID: vcs.ID(installation)}.Repository("9"), later(r), r.Tasks.Writes(r.author(), removal))
			if err != nil || !done {
				t.Errorf("deletion: %t, %v", done, err)
			}
		}, func(listed, pulls []string) bool { return !has(listed, "9 ") && len(pulls) == 0 }},
		"rename": {func(t *testing.T, r *rig, installation string) {
			seen := vcs.Description{ID: "5", Owner: "acme", Name: "renamed"}
			if err := r.repositories.Apply(t.Context(), r.author(), vcs.Installation{VCS: "github", ID: vcs.ID(installation)}, seen, later(r)); err != nil {
				t.Error(err)
			}
		}, func(listed, pulls []string) bool { return has(listed, "5 acme/renamed main") && len(pulls) == 1 }},
		"return of one that is gone at the host": {func(t *testing.T, r *rig, installation string) {
			seen := vcs.Description{ID: "2", Owner: "acme", Name: "returned"}
			if err := r.repositories.Apply(t.Context(), r.author(), vcs.Installation{VCS: "github", ID: vcs.ID(installation)}, seen, later(r)); err != nil {
				t.Error(err)
			}
			r.pullOf(t, installation, "2", 8, string(later(r)))
		}, func(listed, pulls []string) bool {
			return has(listed, "2 acme/returned") && has(pulls, "8/2") && has(pulls, "4/9")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.part = 3
			r.Worker = r.over(r.Role)
			for n, ended := 1, false; !ended; n += storagetest.Sample(1, 5) {
				installation := fmt.Sprint(1000 + n)
				_, id := r.scene(t, installation)
				acted := false
				act := func() { acted = true; c.act(t, r, installation) }
				ended = r.disturb(t, &disturbance{nth: n, act: act}, false, id) < n
				if !acted {
					act()
				}
				r.settle(t)
				if got := r.task(t, id); got.State != task.Completed {
					t.Fatalf("before call %d: %+v", n, got)
				}
				if listed, pulls := r.listed(t, "github", installation), r.pullsOf(t, installation); !c.check(listed, pulls) {
					t.Fatalf("before call %d: %v, %v", n, listed, pulls)
				}
			}
		})
	}
}

func has(list []string, prefix string) bool {
	return slices.ContainsFunc(list, func(line string) bool { return strings.HasPrefix(line, prefix) })
}

// TestRemovalThatIsKilledAnywhereRemovesWhatIsOld kills a worker at each of its
// calls, one after the other.
func TestRemovalThatIsKilledAnywhereRemovesWhatIsOld(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.part = 3
	r.Worker = r.over(r.Role)
	for n, ended := 1, false; !ended; n += storagetest.Sample(1, 5) {
		installation := fmt.Sprint(1000 + n)
		for number := int64(1); number <= 8; number++ {
			r.pullOf(t, installation, "7", number, map[bool]string{true: "3", false: "1"}[number%4 == 0])
		}
		r.pullOf(t, installation, "70", 1, "1")
		removal := repository.RemovalTask("", vcs.Installation{VCS: "github", ID: vcs.ID(installation)}.Repository("7"), "2")
		if err := r.Tasks.Create(t.Context(), r.author(), removal); err != nil {
			t.Fatal(err)
		}
		ended = r.disturb(t, &disturbance{nth: n}, true, removal.ID) < n
		r.settle(t)
		if got := r.task(t, removal.ID); got.State != task.Completed {
			t.Fatalf("killed at call %d: %+v", n, got)
		}
		if got := r.pullsOf(t, installation); !slices.Equal(got, []string{"8/7", "4/7", "1/70"}) {
			t.Fatalf("killed at call %d: pull requests %v", n, got)
		}
	}
}

func TestRemovalOfManyGoesOnBehindAPart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n := int64(1); n <= removalPart+30; n++ {
		r.pull(t, "7", n, "1")
	}
	r.pull(t, "7", removalPart+31, "3")
	removal := repository.RemovalTask("", vcs.Installation{VCS: "github", ID: "42"}.Repository("7"), "2")
	if err := r.Tasks.Create(t.Context(), r.author(), removal); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{removalPart / 2, removalPart + 12} { // in the first part, and in the second
		r.disturb(t, &disturbance{nth: n}, true, removal.ID)
		r.Clock.Add(task.Lease + time.Second)
	}
	r.settle(t)
	if got := r.pulls(t); !slices.Equal(got, []string{fmt.Sprintf("%d/7", removalPart+31)}) {
		t.Errorf("%d pull requests are left", len(got))
	}
	if got := r.task(t, removal.ID); got.State != task.Completed {
		t.Errorf("task %+v", got)
	}
}
