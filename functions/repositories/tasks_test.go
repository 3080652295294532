package main

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
)

const (
	githubTasks = "/api/v1/github/installations/42/tasks"
	gitlabTasks = "/api/v1/gitlab/installations/77/tasks"
)

// listed returns the ids of a list of tasks.
func (r *rig) listed(t *testing.T, path string) (ids []string) {
	t.Helper()
	var page struct {
		Results []struct{ ID, Owner string }
	}
	got := r.Do(t, "GET", path, "")
	got.Want(t, 200, "")
	got.Read(t, &page)
	for _, row := range page.Results {
		ids = append(ids, row.ID+" "+row.Owner)
	}
	return ids
}

func TestAdministratorsSeeAllTasksOfTheirInstallation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for repos, tasks := range map[string]string{githubRepos: githubTasks, gitlabRepos: gitlabTasks} {
		own := r.start(t, "POST", repos+"refresh")
		if err := r.tasks.Gather(t.Context(), author(), task.Task{Kind: task.RefreshRepositories, Installation: own.Installation}); err != nil {
			t.Fatal(err)
		}
		elsewhere := task.Task{ID: uuid.NewString(), Kind: task.RefreshRepositories, Owner: r.Caller.User, Installation: vcs.Installation{VCS: own.Installation.VCS, ID: "4"}}
		if err := r.tasks.Create(t.Context(), author(), elsewhere); err != nil {
			t.Fatal(err)
		}
		got := r.listed(t, tasks)
		if len(got) != 2 || !slices.Contains(got, own.ID+" "+r.Caller.User) || slices.Contains(got, elsewhere.ID+" "+r.Caller.User) {
			t.Errorf("%s lists %q", tasks, got)
		}
	}
}

func TestOnlyAdministratorsSeeTheTasksOfAnInstallation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	whole := *r.Caller
	refused := func(what, path string, change func(c *access.Caller)) {
		t.Helper()
		c := whole
		change(&c)
		if got := r.As(t, &c, "GET", path, ""); got.StatusCode != 403 || got.Body != "" {
			t.Errorf("%s: got %d %s, want 403", what, got.StatusCode, got.Body)
		}
	}
	machine, err := r.users.Create(t.Context(), "machine", author())
	if err != nil {
		t.Fatal(err)
	}
	as := func(id string) func(*access.Caller) { return func(c *access.Caller) { c.User = id } }
	for _, path := range []string{githubTasks, gitlabTasks} {
		refused("a key without the capability", path, func(c *access.Caller) { c.Capabilities = access.Set{access.AccessTokenCreate} })
		refused("no member", path, func(c *access.Caller) { c.Memberships = nil })
		refused("a user who is gone", path, as("5b0e7f7a-8b1c-4f57-9d0e-0f8e1a2b3c4d"))
		refused("a session without an account", path, func(c *access.Caller) { c.User, c.Kind = machine.ID, access.KindSession })
		c := whole
		c.User = machine.ID
		r.As(t, &c, "GET", path, "").WantBody(t, 200, `{"results":[]}`)
	}
	r.github.Role("acme", "ann", ann, "member")
	r.gitlab.Set(vcstest.Group{ID: 77, FullPath: "acme", Direct: map[int64]int{ann: 30}, Inherited: map[int64]int{ann: 30, 9: 30}})
	for _, path := range []string{githubTasks, gitlabTasks} {
		refused("a person who does not decide at the host", path, func(*access.Caller) {})
		refused("such a person's session", path, func(c *access.Caller) { c.Kind = access.KindSession })
	}
}
