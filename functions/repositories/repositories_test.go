package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

const (
	githubRepos = "/api/v1/github/installations/42/repos/"
	gitlabRepos = "/api/v1/gitlab/installations/77/repos/"
)

func TestRefreshStartsOneTaskOfItsCallers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for path, system := range map[string]string{githubRepos: "github", gitlabRepos: "gitlab"} {
		made := r.start(t, "POST", path+"refresh")
		if made.State != task.Pending || made.Kind != task.RefreshRepositories || string(made.Installation.VCS) != system || !made.VisibleTo(*r.Caller) {
			t.Errorf("task %+v", made)
		}
		if want := "INSTALLATION : " + made.ID + " : REPO_REFRESH : " + string(made.Installation.ID); made.Name != want {
			t.Errorf("name %q, want %q", made.Name, want)
		}
		if again := r.start(t, "POST", path+"refresh"); again.ID != made.ID {
			t.Error("a second task was started beside the first")
		}
	}
}

func TestArchivedRepositoryIsDeletedByWhoRulesOverIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for path, in := range map[string]vcs.Installation{
		githubRepos: {VCS: "github", ID: "42"}, gitlabRepos: {VCS: "gitlab", ID: "77"},
	} {
		made := r.start(t, "DELETE", path+"7")
		if made.Kind != task.RemovePullRequests || !made.VisibleTo(*r.Caller) || !strings.Contains(made.Note, `"repository":"7"`) {
			t.Errorf("task %+v", made)
		}
		if _, err := r.known.Get(t.Context(), in.Repository("7")); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("the repository is there still: %v", err)
		}
		if list, err := r.known.List(t.Context(), in, repository.Query{Limit: 10}); err != nil || len(list) != 1 {
			t.Errorf("listed %+v, %v", list, err)
		}
		if status, body := r.ask(t, "DELETE", path+"7"); status != 400 || !strings.Contains(body, "REPO_NOT_FOUND") {
			t.Errorf("again: %d %s", status, body)
		}
	}
}

func TestDeletionIsRefused(t *testing.T) {
	t.Parallel()
	stranger := func(r *rig) {
		u, err := r.users.SignIn(context.Background(), "github", user.Identity{ID: "6", Login: "eve"}, author())
		if err != nil {
			panic(err)
		}
		r.Caller.User = u.ID
	}
	for name, c := range map[string]struct {
		path    string
		arrange func(*rig)
		status  int
		id      string
	}{
		"id that is no number":                  {githubRepos + "old", func(*rig) {}, 400, "INVALID_REPO_ID"},
		"id with a leading zero":                {githubRepos + "07", func(*rig) {}, 400, "INVALID_REPO_ID"},
		"unknown repository":                    {githubRepos + "9", func(*rig) {}, 400, "REPO_NOT_FOUND"},
		"not archived at GitHub":                {githubRepos + "8", func(*rig) {}, 400, "REPO_NOT_ARCHIVED"},
		"not archived at GitLab":                {gitlabRepos + "8", func(*rig) {}, 400, "REPO_NOT_ARCHIVED"},
		"installation of others":                {"/api/v1/github/installations/43/repos/7", func(*rig) {}, 403, ""},
		"VCS that is none":                      {"/api/v1/bitbucket/installations/42/repos/7", func(*rig) {}, 404, ""},
		"member without ruling":                 {githubRepos + "7", func(r *rig) { r.github.Role("acme", "ann", ann, "member") }, 403, ""},
		"login that is somebody else's by now":  {githubRepos + "7", func(r *rig) { r.github.Role("acme", "ann", 99, "admin") }, 403, ""},
		"account that is no member":             {githubRepos + "7", stranger, 403, ""},
		"account at the other host alone":       {gitlabRepos + "7", stranger, 403, ""},
		"user who is gone":                      {githubRepos + "7", func(r *rig) { r.Caller.User = "nobody" }, 403, ""},
		"not archived, and not theirs to know":  {githubRepos + "8", stranger, 403, ""},
		"maintainer of a group around it alone": {gitlabRepos + "7", func(r *rig) { r.group(map[int64]int{}) }, 403, ""},
		"token of a run": {githubRepos + "7", func(r *rig) {
			r.Caller.Capabilities = access.Set{access.KVStoreRead, access.KVStoreWrite}
		}, 403, ""},
		"developer": {gitlabRepos + "7", func(r *rig) { r.group(map[int64]int{ann: 30}) }, 403, ""},
		"gone at the host": {githubRepos + "7", func(r *rig) {
			r.github.Install("42")
		}, 400, `"REPO_NOT_FOUND","data":"repository 7 no longer exists at GitHub`},
		"gone at the host, with the App": {githubRepos + "7", func(r *rig) {
			r.github.Uninstall("42")
		}, 400, "HOST_FORBIDDEN"},
		"no App": {githubRepos + "7", func(r *rig) {
			r.hosts.App = githubhost.New("", nil, "")
		}, 400, "VCS_NOT_CONFIGURED"},
		"a key of the App that cannot be read": {githubRepos + "7", func(r *rig) { r.github.Key = "-----BEGIN" }, 400, "VCS_NOT_CONFIGURED"},
		"host that is down": {githubRepos + "7", func(r *rig) {
			r.github.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusBadGateway})
		}, 503, "HOST_UNAVAILABLE"},
		"installation that is suspended": {githubRepos + "7", func(r *rig) { r.github.Suspend("42", true) }, 400, "HOST_FORBIDDEN"},
		"permission that is withheld":    {githubRepos + "7", func(r *rig) { r.github.Withhold("42", "/memberships/") }, 400, "HOST_FORBIDDEN"},
		"token without a role": {gitlabRepos + "7", func(r *rig) {
			r.gitlab.Fail(vcstest.Failure{Match: "/members/", Status: http.StatusForbidden})
		}, 400, "HOST_FORBIDDEN"},
		"host that asks for patience": {gitlabRepos + "7", func(r *rig) {
			r.gitlab.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"30"}}})
		}, 503, "HOST_LIMIT"},
		"token that the host refuses": {gitlabRepos + "7", func(r *rig) {
			r.gitlab.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusUnauthorized})
		}, 503, "HOST_REFUSED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.arrange(r)
			status, body := r.ask(t, "DELETE", c.path)
			if status != c.status || c.id == "" && body != "" || !strings.Contains(body, c.id) {
				t.Errorf("%d %s, want %d %s", status, body, c.status, c.id)
			}
			for system, in := range map[string]string{"github": "42", "gitlab": "77"} {
				if list, err := r.known.List(t.Context(), vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(in)}, repository.Query{Limit: 10}); err != nil || len(list) != 2 {
					t.Errorf("%s has %+v, %v: a refusal changes nothing", system, list, err)
				}
			}
		})
	}
}

// group sets the direct members of the group.
func (r *rig) group(direct map[int64]int) {
	r.gitlab.Set(vcstest.Group{
		ID: 77, FullPath: "acme", Direct: direct, Inherited: map[int64]int{ann: 40, 9: 30},
		Projects: []vcstest.Project{{ID: 7, PathWithNamespace: "acme/old", Archived: true}},
	})
}

func TestRefreshIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Caller.Memberships = append(r.Caller.Memberships, vcs.Installation{VCS: "gitlab", ID: "78"})
	if status, body := r.ask(t, "POST", "/api/v1/gitlab/installations/78/repos/refresh"); status != 400 || !strings.Contains(body, "NO_ACCESS_TOKEN") {
		t.Errorf("group without a token: %d %s", status, body)
	}
	if status, body := r.ask(t, "POST", "/api/v1/github/installations/43/repos/refresh"); status != 403 || body != "" {
		t.Errorf("installation of others: %d %s", status, body)
	}
	r.hosts.App = githubhost.New("", nil, "")
	if status, body := r.ask(t, "POST", githubRepos+"refresh"); status != 400 || !strings.Contains(body, "VCS_NOT_CONFIGURED") {
		t.Errorf("no App: %d %s", status, body)
	}
}

// TestDeletionWhoseAnswerIsLostIsDoneOnce makes the transaction fail in all ways.
func TestDeletionWhoseAnswerIsLostIsDoneOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []storagetest.Kind{
		storagetest.Throttle, storagetest.Conflict, storagetest.ServerError, storagetest.LoseAnswer, storagetest.LoseRequest, storagetest.Duplicate,
	} {
		r := newRig(t)
		r.Faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Kind: kind})
		r.start(t, "DELETE", githubRepos+"7")
		ids, err := r.tasks.Due(t.Context(), task.Hosts, born.Add(1), 10)
		if err != nil || len(ids) != 1 {
			t.Errorf("fault %d: tasks %v, %v", kind, ids, err)
		}
	}
}
