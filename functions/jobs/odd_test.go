package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// TestAnswerThatSaysNothingOfARepositoryRemovesNone refreshes a group and an
// installation. One of their repositories is no longer listed, but still exists.
func TestAnswerThatSaysNothingOfARepositoryRemovesNone(t *testing.T) {
	t.Parallel()
	const (
		page403 = "<html><h1>403 Forbidden</h1></html>"
		page404 = "<!DOCTYPE html><h1>404 Not Found</h1>"
	)
	for name, c := range map[string]struct {
		vcs, installation string
		failure           vcstest.Failure
	}{
		"group of an id alone":           {"gitlab", "77", vcstest.Failure{Match: "GET /groups/77", Status: http.StatusOK, Body: `{"id":77}`}},
		"group of nothing":               {"gitlab", "77", vcstest.Failure{Match: "GET /groups/77", Status: http.StatusOK, Body: `{}`}},
		"page instead of a group":        {"gitlab", "77", vcstest.Failure{Match: "GET /groups/77", Status: http.StatusForbidden, Body: page403}},
		"page instead of a project":      {"gitlab", "77", vcstest.Failure{Match: "GET /projects/2", Status: http.StatusNotFound, Body: page404}},
		"page instead of a repository":   {"github", "42", vcstest.Failure{Match: "GET /repositories/2", Status: http.StatusNotFound, Body: page404}},
		"page instead of whose it is":    {"github", "42", vcstest.Failure{Match: "GET /repos/acme/r2/installation", Status: http.StatusNotFound, Body: page404}},
		"installation of no id":          {"github", "42", vcstest.Failure{Match: "GET /repos/acme/r2/installation", Status: http.StatusOK, Body: `{}`}},
		"page instead of the whole list": {"github", "42", vcstest.Failure{Match: "GET /installation/repositories", Status: http.StatusNotFound, Body: page404}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			host := func(listed int) {
				r.github.Install("42", many(2)[:listed]...)
				group := vcstest.Group{ID: 77, FullPath: "acme", Inherited: map[int64]int{5: 40}}
				all := []vcstest.Project{{ID: 1, PathWithNamespace: "acme/r1"}, {ID: 2, PathWithNamespace: "acme/r2"}}
				group.Projects = all[:listed]
				r.gitlab.Set(group)
			}
			host(2)
			if err := r.groups.Put(t.Context(), "77", r.gitlab.Account(5, "bot"), r.author()); err != nil {
				t.Fatal(err)
			}
			r.settleAfter(t, r.start(t, c.vcs, c.installation))
			before := r.listed(t, c.vcs, c.installation)
			r.Clock.Add(time.Hour)
			host(1)
			r.github.Publish(many(2)[1])
			r.failExactly(c.failure)
			id := r.start(t, c.vcs, c.installation)
			r.wake(t, r.Worker, id)
			if got := r.listed(t, c.vcs, c.installation); len(before) != 2 || !slices.Equal(got, before) {
				t.Errorf("listed %q, want %q; the task %+v", got, before, r.task(t, id))
			}
			if got := r.task(t, id); got.State == task.Completed && !strings.Contains(r.Rig.Log.String(), "repository in doubt") {
				t.Errorf("the refresh ended as if it had looked: %+v, %s", got, r.Rig.Log.String())
			}
		})
	}
}

// TestReminderThatCannotBeReadHoldsUpNoTask puts reminders that no worker can decode
// before that of a task. The scheduled worker reports them, and works at the task.
func TestReminderThatCannotBeReadHoldsUpNoTask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.github.Install("42", many(1)...)
	id := r.start(t, "github", "42")
	for _, sk := range []string{"0000000000000#no-id", "0000000000001x#bad-time"} {
		if err := (table.Table{DB: r.Env.DynamoDB, Name: r.Env.Table("OperationsTable")}).Put(t.Context(), attr.Item{
			"pk": attr.String(string(task.Hosts)), "sk": attr.String(sk), "ttl": attr.Time(r.Clock.Now().Add(time.Hour)),
		}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.Handle(t.Context(), []byte(`{"source":"aws.events"}`))
	for _, name := range []string{"no-id", "bad-time"} {
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(r.Rig.Log.String(), name) {
			t.Errorf("%s is not reported: %v; log %s", name, err, r.Rig.Log.String())
		}
	}
	if got := r.task(t, id); got.State != task.Completed {
		t.Errorf("the task is %s", got.State)
	}
}

// failExactly makes requests fail whose method and path are equal to those of the
// failure. Requests that only begin like them do not fail.
func (r *rig) failExactly(f vcstest.Failure) {
	choose := func(line string) *vcstest.Failure {
		if line == f.Match {
			return &f
		}
		return nil
	}
	r.github.Choose(choose)
	r.gitlab.Choose(choose)
}
