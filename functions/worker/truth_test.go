package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs"
)

// post is one delivery of the installation 42 of GitHub or 77 of GitLab.
type post struct {
	id, event string
	after     time.Duration
	body      string
}

// keep processes deliveries in their order. It returns what is then stored of the
// installation of the first delivery.
func keep(t *testing.T, posts ...post) []string {
	t.Helper()
	r := newRig(t)
	var in vcs.Installation
	for _, p := range posts {
		d := github(p.id, p.event, p.after)
		if strings.HasSuffix(p.event, "Hook") {
			d.Installation, d.Repository = vcs.Installation{VCS: vcs.GitLab, ID: acmeGroup}, "501"
		}
		in = d.Installation
		if invoke(t, r.worker, r.arrive(t, d, p.body)) != 1 {
			t.Fatal("not done")
		}
		if got := r.state(t, d); got.State != delivery.Done {
			t.Fatalf("%s is %s: %s", p.id, got.State, got.Problem)
		}
	}
	return r.stored(t, in)
}

func second(n int) string { return born.Add(time.Duration(n) * time.Second).Format(time.RFC3339) }

func repositoryEvent(action, name string, updated int) string {
	return fmt.Sprintf(`{"action":%q,"installation":{"id":42},"repository":{"id":7,"name":%q,"owner":{"login":"acme"},"default_branch":"main","updated_at":%q}}`,
		action, name, second(updated))
}

// pullEvent returns the body of an event about a pull request that was updated at a
// second. The settings of its repository were last changed when the test began.
func pullEvent(number int, state, title string, updated int) string {
	return strings.Replace(pull(number, state, title, born.Add(time.Duration(updated)*time.Second)),
		fmt.Sprintf(`"default_branch":"main","updated_at":%q`, second(updated)), fmt.Sprintf(`"default_branch":"main","updated_at":%q`, second(0)), 1)
}

func listEvent(action, list, name string) string {
	return fmt.Sprintf(`{"action":%q,"installation":{"id":42,"account":{"login":"acme"}},%q:[{"id":7,"full_name":"acme/%s"}]}`, action, list, name)
}

func given(name string) string { return listEvent("added", "repositories_added", name) }
func taken(name string) string { return listEvent("removed", "repositories_removed", name) }

func project(event, name, visibility string, updated int) string {
	return fmt.Sprintf(`{"event_name":"project_%s","project_id":501,"path_with_namespace":"acme/%s","project_visibility":%q,"updated_at":%q}`,
		event, name, visibility, second(updated))
}

func pushHook(name, branch string) string {
	return fmt.Sprintf(`{"event_name":"push","project":{"id":501,"path_with_namespace":"acme/%s","default_branch":%q,"visibility_level":0}}`, name, branch)
}

func mergeHook(name, action, state string, updated int) string {
	return fmt.Sprintf(`{"object_kind":"merge_request","user":{"username":"bob"},"project":{"id":501,"path_with_namespace":"acme/%s","default_branch":"main","visibility_level":0},
		"object_attributes":{"iid":1,"action":%q,"state":%q,"title":"one","source_branch":"topic","target_branch":"main","updated_at":%q,"last_commit":{"id":"77ab"}}}`,
		name, action, state, second(updated))
}

func TestWhatIsKeptIsTheTruth(t *testing.T) {
	t.Parallel()
	const (
		minute = time.Minute
		known  = "installation acme installed"
		infra  = "repository 7 acme/infra main"
		lab    = "repository 501 acme/infra main private"
	)
	open := func(number int, title string) string {
		return fmt.Sprintf(`pull 7#%d open %q by ann: topic bb to main aa`, number, title)
	}
	for name, c := range map[string]struct {
		posts []post
		want  []string
	}{
		"reopened within a second": {
			[]post{{"z", "pull_request", 0, pullEvent(1, "closed", "t", 0)}, {"a", "pull_request", 500 * time.Millisecond, pullEvent(1, "open", "t", 0)}},
			[]string{known, infra, open(1, "t")},
		},
		"edited twice within a second": {
			[]post{{"f", "pull_request", 0, pullEvent(1, "open", "first", 0)}, {"a", "pull_request", 700 * time.Millisecond, pullEvent(1, "open", "second", 0)}},
			[]string{known, infra, open(1, "second")},
		},
		"merged within a second, and crossed": {
			[]post{{"a", "pull_request", 0, pullEvent(1, "merged", "t", 0)}, {"z", "pull_request", minute, pullEvent(1, "open", "t", 0)}},
			[]string{known, infra, strings.Replace(open(1, "t"), "open", "merged", 1) + ", as cc at " + second(0)},
		},
		"deleted, whose pull requests are younger than its settings": {
			[]post{
				{"a", "pull_request", 60 * minute, pullEvent(1, "open", "t", 3600)},
				{"b", "repository", 120 * minute, repositoryEvent("deleted", "infra", 0)},
				{"c", "pull_request", 180 * minute, pullEvent(2, "open", "t", 1800)}, // late
			},
			[]string{known, open(1, "t"), "task REPO_REMOVAL 7"}, // the task removes it
		},
		"renamed before it was told that it was given": {
			[]post{{"a", "installation_repositories", 10 * minute, given("old")}, {"b", "repository", 15 * minute, repositoryEvent("renamed", "new", 300)}},
			[]string{known, "repository 7 acme/new main"},
		},
		"renamed, and told that before it was given": {
			[]post{{"b", "repository", 6 * minute, repositoryEvent("renamed", "new", 300)}, {"a", "installation_repositories", 50 * minute, given("old")}},
			[]string{known, "repository 7 acme/new main"},
		},
		"taken, renamed elsewhere, and given back": {
			[]post{
				{"a", "push", 0, push("infra", born)},
				{"b", "installation_repositories", minute, taken("infra")},
				{"c", "installation_repositories", 9 * minute, given("elsewhere")},
			},
			[]string{known, "repository 7 acme/elsewhere main", "task REPO_REMOVAL 7"},
		},
		"the loss processed behind the return": {
			[]post{
				{"a", "push", 0, push("infra", born)},
				{"c", "installation_repositories", 9 * minute, given("elsewhere")},
				{"b", "installation_repositories", minute, taken("infra")},
			},
			[]string{known, "repository 7 acme/elsewhere main", "task REPO_REMOVAL 7"},
		},
		"a push from before the loss": {
			[]post{{"a", "installation_repositories", 10 * minute, taken("infra")}, {"b", "push", 11 * minute, push("infra", born.Add(9*minute))}},
			[]string{known}, // the repository was never known, so there is nothing to remove
		},
		"a push from behind the loss": {
			[]post{{"a", "installation_repositories", 10 * minute, taken("infra")}, {"b", "push", 12 * minute, push("infra", born.Add(11*minute))}},
			[]string{known, infra},
		},
		"a pull request of a repository whose settings are old": {
			[]post{{"a", "installation_repositories", 10 * minute, taken("infra")}, {"b", "pull_request", 12 * minute, pullEvent(1, "open", "t", 11*60)}},
			[]string{known, infra, open(1, "t")},
		},
		"destroyed, and a push that arrives behind": {
			[]post{
				{"a", "Push Hook", 0, pushHook("infra", "main")},
				{"b", "Project Hook", minute, project("destroy", "infra", "private", 0)},
				{"c", "Push Hook", minute + 5*time.Second, pushHook("infra", "main")},
			},
			[]string{"task REPO_REMOVAL 501"},
		},
		"destroyed, and a merge request from before": {
			[]post{
				{"b", "Project Hook", 10 * minute, project("destroy", "infra", "private", 0)}, {"c", "Merge Request Hook", 11 * minute, mergeHook("infra", "open", "opened", 540)},
			},
			nil,
		},
		"a late push of the name before": {
			[]post{{"a", "Project Hook", 10 * minute, project("rename", "infra", "private", 600)}, {"b", "Push Hook", 12 * minute, pushHook("old", "main")}},
			[]string{lab},
		},
		"a new name that only pushes tell": {
			[]post{{"a", "Merge Request Hook", 0, mergeHook("old", "open", "opened", 0)}, {"b", "Push Hook", 60 * minute, pushHook("infra", "main")}},
			[]string{lab, `pull 501#1 open "one" by bob: topic 77ab to main`},
		},
		"a new default branch that only pushes tell": {
			[]post{{"z", "Push Hook", 0, pushHook("infra", "master")}, {"a", "Push Hook", minute, pushHook("infra", "main")}},
			[]string{lab},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := keep(t, c.posts...)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("kept\n%q, want\n%q", got, c.want)
			}
		})
	}
}

// TestLargeListIsWrittenOnceAndCheaplyAgain kills a worker within a list.
func TestLargeListIsWrittenOnceAndCheaplyAgain(t *testing.T) {
	t.Parallel()
	const n = 400
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"id":%d,"full_name":"acme/service-%d","private":true}`, i+1, i+1)
	}
	for event, body := range map[string]string{
		"installation":              `{"action":"created","installation":{"id":42,"account":{"login":"acme","type":"Organization"},"updated_at":"2026-11-02T08:00:00Z"},"repositories":[%s]}`,
		"installation_repositories": `{"action":"added","installation":{"id":42,"account":{"login":"acme"}},"repositories_added":[%s]}`,
	} {
		t.Run(event, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			record := r.arrive(t, github("a", event, 0), fmt.Sprintf(body, strings.Join(list, ",")))
			faults, _ := killed(n / 2)
			if invoke(t, r.over(r.Role.WithFaults(faults)), record) != 0 {
				t.Fatal("the worker did not die")
			}
			// One write for each repository finds that it is stored already.
			var f storagetest.Faults
			if invoke(t, r.over(r.Role.WithFaults(&f)), record) != 1 {
				t.Fatal("not done")
			}
			if calls := f.Calls(""); calls > n+10 {
				t.Errorf("%d calls for %d repositories of which half were known", calls, n)
			}
			if got := r.stored(t, vcs.Installation{VCS: vcs.GitHub, ID: "42"}); len(got) != n+1 {
				t.Errorf("%d things are kept", len(got))
			}
		})
	}
}
