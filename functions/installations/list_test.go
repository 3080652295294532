package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// rig is the function on its own storage. The caller is a member of three
// installations.
type rig struct {
	*functiontest.Rig
	*installations // of the test, which also writes
}

func newRig(t *testing.T) *rig { return rigOn(functiontest.New(t, function)) }

const function = "InstallationsFunction"

func rigOn(of *functiontest.Rig) *rig {
	r := &rig{of, over(of.Env)}
	r.Serve(routes(over(of.Role)))
	r.Caller = functiontest.Token(uuid.NewString())
	r.Caller.Memberships = []vcs.Installation{{VCS: "github", ID: "42"}, {VCS: "gitlab", ID: "42"}, {VCS: "github", ID: "5"}}
	return r
}

// over returns the function with the clients of an env.
func over(env *storagetest.Env) *installations {
	vcsTable := env.Table("VcsTable")
	return &installations{
		repositories: repository.Store{DB: env.DynamoDB, Table: vcsTable}, pullRequests: pullrequest.Store{DB: env.DynamoDB, Table: vcsTable},
		runs: runstore.Store{DB: env.DynamoDB, Table: env.Table("RunsTable"), Limits: runstore.Limits{Keep: 400 * 24 * time.Hour, Start: time.Minute, Report: time.Hour}},
	}
}

// get returns the status and the targets of the page's links. If the status is 200,
// it also decodes the body.
func (r *rig) get(t *testing.T, target string, into any) (status int, links map[string]string) {
	t.Helper()
	got := r.Do(t, "GET", target, "")
	if got.StatusCode == 200 {
		got.Read(t, into)
	}
	return got.StatusCode, got.Links(t)
}

const (
	repos = "/api/v1/github/installations/42/repos"
	pulls = "/api/v1/github/installations/42/pull-requests"
)

func (r *rig) repository(t *testing.T, in, id, name string) {
	t.Helper()
	if err := r.repositories.Apply(t.Context(), r.Author(), vcs.Installation{VCS: "github", ID: vcs.ID(in)}, vcs.Description{ID: vcs.ID(id), Owner: "acme", Name: name}, "1"); err != nil {
		t.Fatal(err)
	}
}

// walk follows links of one kind and returns the content of each page.
func walk(t *testing.T, r *rig, target, rel string, read func(json.RawMessage) []string) (pages [][]string, last string) {
	t.Helper()
	for target != "" {
		var body json.RawMessage
		status, links := r.get(t, target, &body)
		if status != 200 {
			t.Fatalf("%s: status %d", target, status)
		}
		pages, last = append(pages, read(body)), target
		target = links[rel]
	}
	return pages, last
}

func names(t *testing.T) func(json.RawMessage) []string {
	return func(body json.RawMessage) (list []string) {
		var page struct{ Repositories []struct{ ID, Name string } }
		if err := json.Unmarshal(body, &page); err != nil || page.Repositories == nil {
			t.Fatalf("%v: %s", err, body)
		}
		for _, row := range page.Repositories {
			list = append(list, row.Name+"/"+row.ID)
		}
		return list
	}
}

func numbers(t *testing.T) func(json.RawMessage) []string {
	return func(body json.RawMessage) (list []string) {
		var page struct {
			PullRequests []struct {
				PullNumber int         `json:"pull_number"`
				Repository json.Number `json:"repository"`
			} `json:"pull_requests"`
		}
		if err := json.Unmarshal(body, &page); err != nil || page.PullRequests == nil {
			t.Fatalf("%v: %s", err, body)
		}
		for _, row := range page.PullRequests {
			list = append(list, fmt.Sprintf("%d/%s", row.PullNumber, row.Repository))
		}
		return list
	}
}

func TestPageThatEndsAtTheLongestNameLeadsOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	longest := strings.Repeat("p/", repository.MaxName/2)
	r.repository(t, "42", "1", longest)
	r.repository(t, "42", "2", "q")
	pages, _ := walk(t, r, repos+"?limit=1", "next", names(t))
	if got := fmt.Sprint(pages); got != "[["+longest+"/1] [q/2]]" {
		t.Errorf("got %s", got)
	}
	if status, _ := r.get(t, repos+"?page=n&page="+longest+"p", nil); status != 400 {
		t.Errorf("a name that no repository has: %d", status)
	}
}

func TestRepositoriesArePagedByNameAndEqualNamesAreNotSkipped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for id, name := range map[string]string{"9": "b", "10": "b", "1": "a", "2": "ä", "3": "B", "4": "b-2", "5": "b"} {
		r.repository(t, "42", id, name)
	}
	r.repository(t, "5", "77", "elsewhere")
	r.repository(t, "42", "6", "gone")
	if err := r.repositories.Gone(t.Context(), r.Author(), vcs.Installation{VCS: "github", ID: "42"}.Repository("6"), "2", nil); err != nil {
		t.Fatal(err)
	}
	want := "[[B/3 a/1] [b/5 b/9] [b/10 b-2/4] [ä/2]]"
	forward, last := walk(t, r, repos+"?limit=2", "next", names(t))
	if got := fmt.Sprint(forward); got != want {
		t.Errorf("forward: %s, want %s", got, want)
	}
	back, _ := walk(t, r, last, "prev", names(t))
	if got := fmt.Sprint(back); got != "[[ä/2] [b/10 b-2/4] [b/5 b/9] [B/3 a/1]]" {
		t.Errorf("backwards: %s", got)
	}
	for page, want := range map[string]string{
		"?page=n&page=b": "[[b-2/4 ä/2]]", "?page=n,a": "[[b/5 b/9 b/10 b-2/4 ä/2]]", "?page=p&page=b": "[[B/3 a/1]]", "?page=n&page=zz%C3%A4": "[[ä/2]]",
	} {
		first, _ := walk(t, r, repos+page, "none", names(t))
		if got := fmt.Sprint(first); got != want {
			t.Errorf("%s: %s, want %s", page, got, want)
		}
	}
}

func TestPullRequestsArePagedByNumberAndEqualNumbersAreNotSkipped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, p := range []struct {
		repository string
		number     int64
	}{{"7", 1}, {"7", 2}, {"10", 2}, {"9", 2}, {"7", 10}, {"7", 3}} {
		_, err := r.pullRequests.Apply(t.Context(), r.Author(), vcs.Installation{VCS: "github", ID: "42"}, pullrequest.PullRequest{
			Repository: vcs.ID(p.repository), Number: p.number, State: pullrequest.Open,
		}, "1", r.repositories.NotEmptied(vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(p.repository)), "1"))
		if err != nil {
			t.Fatal(err)
		}
	}
	forward, last := walk(t, r, pulls+"?limit=2", "next", numbers(t))
	if got := fmt.Sprint(forward); got != "[[10/7 3/7] [2/10 2/9] [2/7 1/7]]" {
		t.Errorf("forward: %s", got)
	}
	back, _ := walk(t, r, last, "prev", numbers(t))
	if got := fmt.Sprint(back); got != "[[2/7 1/7] [2/10 2/9] [10/7 3/7]]" {
		t.Errorf("backwards: %s", got)
	}
	for query, want := range map[string]string{
		"?pr=2": "[[2/10 2/9 2/7]]", "?pr=4": "[[]]", "?page=n&page=3": "[[2/10 2/9 2/7 1/7]]", "?page=p&page=2": "[[10/7 3/7]]",
		"?page=n,1": "[[]]", "?pr=2&page=n,2": "[[]]", "?pr=2&page=p,1": "[[2/10 2/9 2/7]]",
	} {
		first, _ := walk(t, r, pulls+query, "none", numbers(t))
		if got := fmt.Sprint(first); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	pages, _ := walk(t, r, pulls+"?pr=2&limit=1", "next", numbers(t))
	if got := fmt.Sprint(pages); got != "[[2/10] [2/9] [2/7]]" {
		t.Errorf("one number, page by page: %s", got)
	}
}

func TestBadPagesAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, target := range []string{
		repos + "?page=n", repos + "?page=x,a", repos + "?page=n,a,b", repos + "?page=n,YQ,YQ", repos + "?limit=0", repos + "?page=n," + strings.Repeat("a", repository.MaxName+1),
		repos + "?page=n,", repos + "?page=n,YQ,MQ,MQ", pulls + "?page=n,a", pulls + "?page=n,0", pulls + "?page=n,MQ,YQ", pulls + "?pr=a", pulls + "?pr=0", pulls + "?pr=",
		pulls + "?pr=99999999999999999999",
	} {
		if status, _ := r.get(t, target, nil); status != 400 {
			t.Errorf("%s: status %d, want 400", target, status)
		}
	}
}

func TestPullRequestShowsWhatTheHostTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := pullrequest.PullRequest{
		Repository: "9223372036854775807", Number: 17, Title: "Add <bucket>", User: "ann", State: pullrequest.Merged,
		BaseBranch: "main", BaseSHA: "aa", Branch: "topic", SHA: "bb", MergedSHA: "cc", MergedAt: functiontest.Start,
	}
	if _, err := r.pullRequests.Apply(t.Context(), r.Author(), vcs.Installation{VCS: "github", ID: "42"}, p, "1", r.repositories.NotEmptied(vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(p.Repository)), "1")); err != nil {
		t.Fatal(err)
	}
	r.repository(t, "42", string(p.Repository), "infra")
	var got json.RawMessage
	r.get(t, pulls, &got)
	const want = `{"pull_requests":[{"base_branch":"main","base_sha":"aa","branch":"topic","merged_at":"2096-10-02T07:06:40Z","merged_sha":"cc",` +
		`"name":"infra","owner":"acme","pull_number":17,"repository":9223372036854775807,"sha":"bb","state":"merged","title":"Add <bucket>","user":"ann"}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPullRequestListLeavesOutWhatItsHostHasNotTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := pullrequest.PullRequest{Repository: "7", Number: 17, State: pullrequest.Open, BaseBranch: "main", Branch: "topic"} // as GitLab sends it, without a commit
	if _, err := r.pullRequests.Apply(t.Context(), r.Author(), vcs.Installation{VCS: "github", ID: "42"}, p, "1", r.repositories.NotEmptied(vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(p.Repository)), "1")); err != nil {
		t.Fatal(err)
	}
	nested := vcs.Description{ID: "7", Owner: "acme", Name: "platform/deep"}
	if err := r.repositories.Apply(t.Context(), r.Author(), vcs.Installation{VCS: "github", ID: "42"}, nested, "1"); err != nil {
		t.Fatal(err)
	}
	var got json.RawMessage
	r.get(t, pulls, &got)
	const want = `{"pull_requests":[{"base_branch":"main","branch":"topic","name":"platform/deep","owner":"acme","pull_number":17,"repository":7,"state":"open"}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPullRequestsFollowTheNamesOfTheirRepositories(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n, repo := range []string{"7", "8", "7"} {
		r.repository(t, "42", repo, "old-"+repo)
		_, err := r.pullRequests.Apply(t.Context(), r.Author(), vcs.Installation{VCS: "github", ID: "42"}, pullrequest.PullRequest{
			Repository: vcs.ID(repo), Number: int64(n + 1), State: pullrequest.Open,
		}, "1", r.repositories.NotEmptied(vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(repo)), "1"))
		if err != nil {
			t.Fatal(err)
		}
	}
	renamed := vcs.Description{ID: "7", Owner: "acme-labs", Name: "new"}
	if err := r.repositories.Apply(t.Context(), r.Author(), vcs.Installation{VCS: "github", ID: "42"}, renamed, "2"); err != nil {
		t.Fatal(err)
	}
	var page struct {
		PullRequests []struct{ Owner, Name string } `json:"pull_requests"`
	}
	r.get(t, pulls, &page)
	if got := fmt.Sprint(page.PullRequests); got != "[{acme-labs new} {acme old-8} {acme-labs new}]" {
		t.Errorf("owners and names %s", got)
	}
}

func TestStrangersSeeNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Caller.Memberships = []vcs.Installation{{VCS: "gitlab", ID: "42"}, {VCS: "github", ID: "43"}}
	for _, target := range []string{repos, pulls} {
		if status, _ := r.get(t, target, nil); status != 403 {
			t.Errorf("%s: status %d, want 403", target, status)
		}
	}
}
