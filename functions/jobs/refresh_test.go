package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestRefreshTakesInWhatTheHostLists(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	there := many(250)
	r.github.Install("42", there...)
	id := r.start(t, "github", "42")
	if back := r.wake(t, r.Worker, id); back {
		t.Fatal("handed back")
	}
	got := r.task(t, id)
	if got.State != task.Completed || got.Progress != (task.Progress{Done: 250, Total: 250}) || got.Problem != "" {
		t.Errorf("task %+v", got)
	}
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want(there)) {
		t.Errorf("listed %d repositories: %.500s", len(got), got)
	}
	if n := r.github.Asked("GET /installation/repositories"); n != 11 {
		t.Errorf("%d pages were asked for, want 11", n)
	}
	if r.wake(t, r.Worker, id); r.github.Asked("GET /installation/repositories") != 11 {
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
	r.wake(t, r.Worker, id)
	if got := r.task(t, id); got.State != task.Completed || got.Progress.Done != 130 || got.Progress.Total != 130 {
		t.Errorf("task %+v", got)
	}
	got := r.listed(t, "gitlab", "77")
	if len(got) != 130 || !slices.Contains(got, "4 acme/platform/p4 main archived=true private=true setup=false") ||
		!slices.Contains(got, "5 acme/platform/p5 main archived=false private=false setup=false") {
		t.Errorf("listed %d: %.300s", len(got), got)
	}
}

func TestWhatTheHostHasNoLongerIsRemovedWithItsPullRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.github.Install("42", many(5)...)
	r.wake(t, r.Worker, r.start(t, "github", "42"))
	for n, repo := range []string{"2", "3", "2", "5"} {
		r.pull(t, repo, int64(n+1), "1")
	}
	r.Clock.Add(time.Hour)
	there := many(5)
	r.github.Publish(there[1]) // 2 has left the installation, but is public
	there = append(there[:1], there[3:]...)
	r.github.Install("42", there...)
	r.settleAfter(t, r.start(t, "github", "42"))
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want(there)) {
		t.Errorf("listed %v", got)
	}
	if got := r.pulls(t); !slices.Equal(got, []string{"4/5"}) {
		t.Errorf("pull requests %v", got)
	}
	// An older fact that arrives late changes nothing.
	r.pull(t, "2", 9, "1")
	if got := r.pulls(t); !slices.Equal(got, []string{"4/5"}) {
		t.Errorf("pull requests after a late fact: %v", got)
	}
	r.Clock.Add(time.Hour)
	r.github.Install("42", many(5)...)
	r.settleAfter(t, r.start(t, "github", "42"))
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want(many(5))) {
		t.Errorf("those that came back: %v", got)
	}
}

func TestNothingIsKeptOfARepositoryThatIsGoneButThatItIs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.github.Install("42", many(2)...)
	r.settleAfter(t, r.start(t, "github", "42"))
	r.Clock.Add(time.Hour)
	r.github.Install("42", many(1)...)
	r.settleAfter(t, r.start(t, "github", "42"))
	out, err := r.Env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(r.Env.Table("VcsTable")),
		Key:       attr.Item{"pk": attr.String("REPOSITORIES#github#42"), "sk": attr.String(fmt.Sprintf("%020d", 2))},
	})
	if err != nil || !attr.Read(out.Item).Bool("gone") || out.Item["ttl"] == nil {
		t.Fatalf("%v, %v", out, err)
	}
	for _, name := range []string{"owner", "name", "by_name", "branch", "private", "archived", "setup"} {
		if value, ok := out.Item[name]; ok {
			t.Errorf("%s is kept: %v", name, value)
		}
	}
}

// settleAfter wakes the worker for a task, and then lets all later work end.
func (r *rig) settleAfter(t *testing.T, id string) {
	t.Helper()
	r.wake(t, r.Worker, id)
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
	r.Clock.Add(time.Hour)
	r.pull(t, "25", 1, "1")
	id := r.start(t, "github", "42")
	r.step(t, id)
	// Between two pages one repository of the first page disappears. Number 25
	// moves to that page, so no page that is read has it.
	r.github.Install("42", there[1:]...)
	r.settleAfter(t, id)
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want(there)) {
		t.Errorf("%d are listed, want %d: the first was there when it was listed, and the others are", len(got), len(there))
	}
	if got := r.pulls(t); !slices.Equal(got, []string{"1/25"}) {
		t.Errorf("pull requests %v", got)
	}
	if n := r.github.Asked("GET /repositories/"); n != 1 {
		t.Errorf("the host was asked for %d repositories, want the one that was not listed", n)
	}
	r.Clock.Add(time.Hour)
	r.settleAfter(t, r.start(t, "github", "42"))
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want(there[1:])) {
		t.Errorf("%d are listed after the next refresh, want %d", len(got), len(there)-1)
	}
}

// step does one step of a task, and stores the progress.
func (r *rig) step(t *testing.T, id string) {
	t.Helper()
	run, err := r.Tasks.Begin(t.Context(), id, r.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Steps[run.Kind](t.Context(), run, r.author()); err != nil {
		t.Fatal(err)
	}
	if err := r.Tasks.Save(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if err := r.Tasks.Wait(t.Context(), run, r.Clock.Now(), ""); err != nil {
		t.Fatal(err)
	}
}

func TestProjectOutsideItsGroupIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	set := func(projects ...vcstest.Project) {
		r.gitlab.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: map[int64]int{5: 40}, Projects: projects})
	}
	if err := r.groups.Put(t.Context(), "77", r.gitlab.Account(5, "bot"), r.author()); err != nil {
		t.Fatal(err)
	}
	stays := vcstest.Project{ID: 1, PathWithNamespace: "acme/net/stays", Public: true}
	leaves := vcstest.Project{ID: 2, PathWithNamespace: "acme/leaves", Public: true}
	deleted := vcstest.Project{ID: 3, PathWithNamespace: "acme/deleted"}
	set(stays, leaves, deleted)
	r.settleAfter(t, r.start(t, "gitlab", "77"))
	r.Clock.Add(time.Hour)
	set(stays)
	leaves.PathWithNamespace = "acme-labs/leaves"
	r.gitlab.Set(vcstest.Group{ID: 78, FullPath: "acme-labs", Projects: []vcstest.Project{leaves}})
	r.settleAfter(t, r.start(t, "gitlab", "77"))
	if got := r.listed(t, "gitlab", "77"); len(got) != 1 || !strings.HasPrefix(got[0], "1 acme/net/stays") {
		t.Errorf("listed %v", got)
	}
}

func TestNewerEventsStandAgainstARefresh(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.github.Install("42", many(2)...)
	later := vcs.Moment{At: r.Clock.Now().Truncate(time.Second)}.Version(r.Clock.Now(), "delivery")
	seen := vcs.Description{ID: "1", Owner: "acme", Name: "renamed"}
	if err := r.repositories.Apply(t.Context(), r.author(), vcs.Installation{VCS: "github", ID: "42"}, seen, later); err != nil {
		t.Fatal(err)
	}
	if err := r.repositories.Apply(t.Context(), r.author(), vcs.Installation{VCS: "github", ID: "42"}, vcs.Description{ID: "9", Owner: "acme", Name: "new"}, later); err != nil {
		t.Fatal(err)
	}
	r.settleAfter(t, r.start(t, "github", "42"))
	got := strings.Join(r.listed(t, "github", "42"), "\n")
	if !strings.Contains(got, "1 acme/renamed main") || !strings.Contains(got, "9 acme/new") {
		t.Errorf("what happened in the same second was undone:\n%s", got)
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
	r.wake(t, r.Worker, id)
	got := r.task(t, id)
	if got.State != task.Running || !strings.Contains(got.Problem, "no more requests") {
		t.Fatalf("task %+v", got)
	}
	asked := r.github.Asked("GET ")
	r.Clock.Add(9 * time.Minute)
	if r.schedule(t); r.github.Asked("GET ") != asked {
		t.Error("the host was asked although it asks for patience")
	}
	r.Worker = r.over(r.Role) // the library measures the host's minutes by its own clock
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
		system, installation string
		arrange              func(*rig)
		words                string
		forGood              bool
	}{
		"installation that is gone": {"github", "43", func(*rig) {}, "GitHub has no such installation", true},
		"no token of the group":     {"gitlab", "77", func(*rig) {}, "no access token is stored for the group", true},
		"revoked token": {"gitlab", "77", func(r *rig) {
			if err := r.groups.Put(t.Context(), "77", "glpat-revoked", r.author()); err != nil {
				t.Fatal(err)
			}
		}, "does not accept the group's access token", true},
		"group out of reach": {"gitlab", "78", func(r *rig) {
			if err := r.groups.Put(t.Context(), "78", r.gitlab.Account(5, "bot"), r.author()); err != nil {
				t.Fatal(err)
			}
		}, "GitLab has no such installation", true},
		"installation that is suspended": {"github", "42", func(r *rig) {
			r.github.Install("42", many(1)...)
			r.github.Suspend("42", true)
		}, "suspended", true},
		"address that GitHub does not allow": {"github", "42", func(r *rig) {
			r.github.Install("42", many(1)...)
			r.github.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusForbidden, Body: `{"message":"Although you appear to have the correct authorization credentials, the acme organization has an IP allow list enabled, and your IP address\u001b[31m is not permitted. You sent ghs_16C7e42F292c6912E7710c838347Ae178B4a"}`})
		}, "it refuses the network address that this server's requests come from; have the organisation's owner, or the host's administrator, allow the address, " +
			`and start again; GitHub says: "Although you appear`, true},
		"single sign-on": {"github", "42", func(r *rig) {
			r.github.Install("42", many(1)...)
			r.github.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusForbidden, Body: `{"message":"Resource protected by organization SAML enforcement."}`})
		}, "asks for SAML single sign-on", true},
		"address that GitLab has banned": {"gitlab", "77", func(r *rig) {
			r.gitlab.Fail(vcstest.Failure{Match: "/projects", Status: http.StatusForbidden, Body: "Forbidden\n"})
			if err := r.groups.Put(t.Context(), "77", r.gitlab.Account(5, "bot"), r.author()); err != nil {
				t.Fatal(err)
			}
		}, "refuses the network address", true},
		"key that is none": {"github", "42", func(r *rig) { r.github.Key = "secret-text" }, "cannot read the private key of its GitHub App: its operator must store another one in the secret that GithubAppPrivateKey names, and start again; it is neither PEM nor a key in base64", true},
		"key that is cut":  {"github", "42", func(r *rig) { r.github.Key = r.github.Key[:500] }, "its end is missing: store the .pem file that GitHub gives", true},
		"list that leads back": {"github", "42", func(r *rig) {
			r.github.Install("42")
			r.github.Fail(vcstest.Failure{
				Match: "GET /installation", Status: http.StatusOK, Body: `{"total_count":1,"repositories":[]}`,
				Header: http.Header{"Link": {`<https://api.github.com/installation/repositories?page=1>; rel="next"`}},
			})
		}, "its pages lead back", true},
		"list that goes on by a cursor": {"gitlab", "77", func(r *rig) {
			r.gitlab.Fail(vcstest.Failure{
				Match: "/projects", Status: http.StatusOK, Body: `[]`,
				Header: http.Header{"Link": {`<https://gitlab.com/api/v4/groups/77/projects?pagination=keyset&id_after=1>; rel="next"`}},
			})
			if err := r.groups.Put(t.Context(), "77", r.gitlab.Account(5, "bot"), r.author()); err != nil {
				t.Fatal(err)
			}
		}, "cannot be read to its end", true},
		"host that points elsewhere": {"github", "42", func(r *rig) {
			r.github.Install("42")
			r.github.Fail(vcstest.Failure{Match: "GET /installation", Status: http.StatusFound, Header: http.Header{"Location": {"http://127.0.0.1:1/"}}})
		}, "another address", true},
		"group that forbids": {"gitlab", "77", func(r *rig) {
			r.gitlab.Fail(vcstest.Failure{Match: "/projects", Status: http.StatusForbidden})
			if err := r.groups.Put(t.Context(), "77", r.gitlab.Account(5, "bot"), r.author()); err != nil {
				t.Fatal(err)
			}
		}, "lacks a scope", true},
		"host that is down": {"github", "42", func(r *rig) {
			r.github.Install("42", many(1)...)
			r.github.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusBadGateway, Body: "secret-text"})
		}, "the host or this server had an error", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.arrange(r)
			id := r.start(t, c.system, c.installation)
			r.wake(t, r.Worker, id)
			r.settle(t)
			if got := r.task(t, id); got.State != task.Failed || !strings.Contains(got.Problem, c.words) {
				t.Errorf("task %+v", got)
			}
			if tries := strings.Count(r.Rig.Log.String(), "task stumbled"); c.forGood && tries != 1 {
				t.Errorf("%d tries of what cannot succeed", tries)
			}
			for where, text := range map[string]string{"log": r.Rig.Log.String(), "task": r.task(t, id).Problem} {
				if strings.Contains(text, "secret-text") || strings.Contains(text, "glpat-") || strings.Contains(text, "ghs_") || strings.Contains(text, "\x1b") {
					t.Errorf("the %s has what it must not: %s", where, text)
				}
			}
		})
	}
}
