package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/storagetest"
	"github.com/opsplane/opsplane/infra/vcstest"
	"github.com/opsplane/opsplane/shared/repository"
	"github.com/opsplane/opsplane/shared/task"
	"github.com/opsplane/opsplane/shared/vcsevent"
)

func TestRefreshTakesInWhatTheHostLists(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	there := many(250)
	r.github.Install("42", there...)
	id := r.start(t, "github", "42")
	if back := r.wake(t, r.jobs, id); back {
		t.Fatal("handed back")
	}
	got := r.task(t, id)
	if got.State != task.Completed || got.Progress != (task.Progress{Done: 250, Total: 250}) || got.Problem != "" {
		t.Errorf("task %+v", got)
	}
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want(there)) {
		t.Errorf("listed %d repositories: %.500s", len(got), got)
	}
	if n := r.github.Asked("GET /installation/repositories"); n != 3 {
		t.Errorf("%d pages were asked for, want 3: nothing was missing", n)
	}
	if r.wake(t, r.jobs, id); r.github.Asked("GET /installation/repositories") != 3 {
		t.Error("a task that had ended was done again")
	}
}

func TestRefreshOfAGroupUsesItsToken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	group := vcstest.Group{ID: 77, Inherited: map[int64]int{5: 40}}
	for i := range 130 {
		group.Projects = append(group.Projects, vcstest.Project{
			ID: int64(i + 1), PathWithNamespace: fmt.Sprintf("acme/platform/p%d", i+1), DefaultBranch: "main", Archived: i == 3, Public: i == 4,
		})
	}
	r.gitlab.Set(group)
	if err := r.groups.Put(t.Context(), "77", r.gitlab.Account(5, "bot"), r.author()); err != nil {
		t.Fatal(err)
	}
	id := r.start(t, "gitlab", "77")
	r.wake(t, r.jobs, id)
	if got := r.task(t, id); got.State != task.Completed || got.Progress.Done != 130 || got.Progress.Total != 130 {
		t.Errorf("task %+v", got)
	}
	got := r.listed(t, "gitlab", "77")
	if len(got) != 130 || !slices.Contains(got, "4 acme/platform/p4 main archived=true private=true setup=false") ||
		!slices.Contains(got, "5 acme/platform/p5 main archived=false private=false setup=false") {
		t.Errorf("listed %d: %.300s", len(got), got)
	}
}

func TestWhatTwoListsLackIsRemovedWithItsPullRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.github.Install("42", many(5)...)
	r.wake(t, r.jobs, r.start(t, "github", "42"))
	for n, repo := range []string{"2", "3", "2", "5"} {
		r.pull(t, repo, int64(n+1), "1")
	}
	r.clock = r.clock.Add(time.Hour)
	there := many(5)
	there = append(there[:1], there[3:]...) // without 2 and 3
	r.github.Install("42", there...)
	r.settleAfter(t, r.start(t, "github", "42"))
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want(there)) {
		t.Errorf("listed %v", got)
	}
	if got := r.pulls(t); !slices.Equal(got, []string{"4/5"}) {
		t.Errorf("pull requests %v", got)
	}
	// What is told late of the time before changes nothing.
	r.pull(t, "2", 9, "1")
	if got := r.pulls(t); !slices.Equal(got, []string{"4/5"}) {
		t.Errorf("pull requests after a late fact: %v", got)
	}
	r.clock = r.clock.Add(time.Hour)
	r.github.Install("42", many(5)...)
	r.settleAfter(t, r.start(t, "github", "42"))
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want(many(5))) {
		t.Errorf("those that came back: %v", got)
	}
}

// settleAfter wakes the worker for a task and lets all that follows end.
func (r *rig) settleAfter(t *testing.T, id string) {
	t.Helper()
	r.wake(t, r.jobs, id)
	r.settle(t)
	if got := r.task(t, id); got.State != task.Completed {
		t.Errorf("task %+v", got)
	}
}

func TestRepositoryThatMovesBetweenPagesIsNotRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	there := many(150)
	r.github.Install("42", there...)
	r.settleAfter(t, r.start(t, "github", "42"))
	r.clock = r.clock.Add(time.Hour)
	id := r.start(t, "github", "42")
	run, err := r.tasks.Begin(t.Context(), id, r.clock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.steps[task.RefreshRepositories](t.Context(), run, r.author()); err != nil {
		t.Fatal(err)
	}
	if err := r.tasks.Save(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if err := r.tasks.Wait(t.Context(), run, r.clock, ""); err != nil {
		t.Fatal(err)
	}
	// Between two pages one goes from the first: number 101 moves there, and no page has it.
	r.github.Install("42", there[1:]...)
	r.settleAfter(t, id)
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want(there)) {
		t.Errorf("%d are listed, want %d: the first was there when it was listed, and the last ones are", len(got), len(there))
	}
	r.clock = r.clock.Add(time.Hour)
	r.settleAfter(t, r.start(t, "github", "42"))
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want(there[1:])) {
		t.Errorf("%d are listed after the next refresh, want %d", len(got), len(there)-1)
	}
}

func TestNewerEventsStandAgainstARefresh(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.github.Install("42", many(2)...)
	later := vcsevent.Version{At: r.clock.Truncate(time.Second)}.Text(r.clock, "delivery")
	seen := repository.Seen{ID: "1", Owner: "acme", Name: "renamed"}
	if err := r.repositories.Apply(t.Context(), r.author(), "github", "42", seen, later); err != nil {
		t.Fatal(err)
	}
	if err := r.repositories.Apply(t.Context(), r.author(), "github", "42", repository.Seen{ID: "9", Owner: "acme", Name: "new"}, later); err != nil {
		t.Fatal(err)
	}
	r.settleAfter(t, r.start(t, "github", "42"))
	got := strings.Join(r.listed(t, "github", "42"), "\n")
	if !strings.Contains(got, "1 acme/renamed main") || !strings.Contains(got, "9 acme/new") {
		t.Errorf("what happened in the same second was undone:\n%s", got)
	}
}

// TestRefreshThatIsKilledAnywhereEndsAsAnUndisturbedOne kills the worker after
// each of its calls in turn.
func TestRefreshThatIsKilledAnywhereEndsAsAnUndisturbedOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before, there := many(6), many(4)
	there = append(there, vcstest.Repository{ID: 70, Owner: "acme", Name: "new", DefaultBranch: "main"})
	for n, ended := 1, false; !ended; n += 1 + n/20 {
		installation := fmt.Sprint(1000 + n)
		r.github.Install(installation, before...)
		r.wake(t, r.jobs, r.start(t, "github", installation))
		r.clock = r.clock.Add(time.Hour)
		r.github.Install(installation, there...)
		id := r.start(t, "github", installation)
		calls := 0
		faults := &storagetest.Faults{Choose: func(string) storagetest.Fault {
			switch calls++; {
			case calls > n:
				return storagetest.Fault{Kind: storagetest.Refuse}
			case calls == n:
				return storagetest.Fault{Kind: storagetest.LoseAnswer}
			}
			return storagetest.Fault{}
		}}
		// The calls of a page are made side by side.
		r.wake(t, r.over(r.env.WithFaults(r.serial(faults))), id)
		ended = calls < n
		r.settle(t)
		if got := r.task(t, id); got.State != task.Completed {
			t.Fatalf("killed at call %d: %+v", n, got)
		}
		if got := r.listed(t, "github", installation); !slices.Equal(got, want(there)) {
			t.Fatalf("killed at call %d: listed %v", n, got)
		}
	}
}

func TestHostThatAsksForPatienceIsAskedLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.github.Install("42", many(120)...)
	r.github.Fail(vcstest.Failure{
		Match: "GET /repos/", Times: 1, Status: http.StatusForbidden,
		Header: http.Header{"Retry-After": {"600"}}, Body: `{"message":"You have exceeded a secondary rate limit","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`,
	})
	id := r.start(t, "github", "42")
	r.wake(t, r.jobs, id)
	got := r.task(t, id)
	if got.State != task.Running || !strings.Contains(got.Problem, "no more requests") {
		t.Fatalf("task %+v", got)
	}
	asked := r.github.Asked("GET ")
	r.clock = r.clock.Add(9 * time.Minute)
	if r.schedule(t); r.github.Asked("GET ") != asked {
		t.Error("the host was asked although it asks for patience")
	}
	r.jobs = r.over(r.env) // the library counts the host's minutes by a clock of its own
	r.settle(t)
	if got := r.task(t, id); got.State != task.Completed || got.Problem != "" {
		t.Errorf("task %+v", got)
	}
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want(many(120))) {
		t.Errorf("%d are listed", len(got))
	}
}

func TestRefreshSaysWhyItFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vcs, installation string
		arrange           func(*rig)
		words             string
	}{
		"installation that is gone": {"github", "43", func(*rig) {}, "GitHub knows no such installation"},
		"no token of the group":     {"gitlab", "77", func(*rig) {}, "no access token is stored for the group"},
		"revoked token": {"gitlab", "77", func(r *rig) {
			if err := r.groups.Put(t.Context(), "77", "glpat-revoked", r.author()); err != nil {
				t.Fatal(err)
			}
		}, "does not take the group's access token"},
		"group out of reach": {"gitlab", "78", func(r *rig) {
			if err := r.groups.Put(t.Context(), "78", r.gitlab.Account(5, "bot"), r.author()); err != nil {
				t.Fatal(err)
			}
		}, "GitLab knows no such installation"},
		"host that is down": {"github", "42", func(r *rig) {
			r.github.Install("42", many(1)...)
			r.github.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusBadGateway, Body: "secret-text"})
		}, "the host or this server had an error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.arrange(r)
			id := r.start(t, c.vcs, c.installation)
			r.wake(t, r.jobs, id)
			r.settle(t)
			if got := r.task(t, id); got.State != task.Failed || !strings.Contains(got.Problem, c.words) {
				t.Errorf("task %+v", got)
			}
			if strings.Contains(r.log.String(), "secret-text") || strings.Contains(r.log.String(), "glpat-") {
				t.Errorf("the log has what it must not: %s", r.log.String())
			}
		})
	}
}

// serial lets one call pass at a time, so that "the nth call" means something.
func (r *rig) serial(f *storagetest.Faults) *storagetest.Faults {
	choose := f.Choose
	turn := make(chan struct{}, 1)
	f.Choose = func(operation string) storagetest.Fault {
		turn <- struct{}{}
		defer func() { <-turn }()
		return choose(operation)
	}
	return f
}
