package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
)

var twoDirs = map[string]string{"net/main.tf": "a", "app/main.tf": "b", "docs/README.md": "c"}

// pull returns the path of an explanation.
func pull(number int64, query string) string {
	return fmt.Sprintf("%s/repos/7/prs/%d/explain%s", base, number, query)
}

// shown is what the tests read of an explanation.
type shown struct {
	State, Mergeable, Title, User string
	Blocks                        []block
	Mistakes                      []mistake
	Dirspaces                     []explained
	OtherFiles                    []string `json:"other_files"`
}

func (r *rig) explained(t *testing.T, target string) shown {
	t.Helper()
	var got shown
	r.Do(t, "GET", target, "").Read(t, &got)
	return got
}

// TestExplanationHasTheDirectoriesThatAChangeTouches reads one with and without the others.
func TestExplanationHasTheDirectoriesThatAChangeTouches(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	n := r.open(t, "one", map[string]string{"net/main.tf": "a1", "app/notes.txt": "n", "docs/README.md": "c1"})
	got := r.explained(t, pull(n, ""))
	if got.State != "open" || got.Title != "Change one" || got.User != "ann" || got.Mergeable != "yes" || len(got.Blocks) != 0 || len(got.OtherFiles) != 1 || got.OtherFiles[0] != "docs/README.md" {
		t.Errorf("got %+v", got)
	}
	if len(got.Dirspaces) != 2 || got.Dirspaces[0].Dir != "app" || got.Dirspaces[0].Planned || got.Dirspaces[0].Plan != nil {
		t.Fatalf("got %+v, want app, which is touched and not planned, and net", got.Dirspaces)
	}
	if net := got.Dirspaces[1]; !net.Planned || net.Layer != 1 || *net.Applied || net.Plan.State != "valid" || net.Plan.PullNumber != n || !net.Requirements.Met || len(net.Blocks) != 0 {
		t.Errorf("net: %+v", net)
	}
	other := r.open(t, "other", map[string]string{"app/main.tf": "b1"})
	if got := r.explained(t, pull(other, "")); len(got.Dirspaces) != 1 {
		t.Errorf("got %+v, want app alone", got.Dirspaces)
	}
	if got := r.explained(t, pull(other, "?all=true")); len(got.Dirspaces) != 2 || got.Dirspaces[1].Dir != "net" || !strings.HasPrefix(got.Dirspaces[1].Why, "no changed file matches") {
		t.Errorf("got %+v, want app and net", got.Dirspaces)
	}
}

// TestExplanationKeepsNothing has no right to write, and nothing that an evaluation kept.
func TestExplanationKeepsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	n := r.open(t, "one", map[string]string{"net/main.tf": "a1"})
	bucket, prefix := r.Env.Bucket("RunsBucket"), lane.Prefix
	kept := func() []types.Object {
		out, err := r.Env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
		must(t, err)
		return out.Contents
	}
	before := kept()
	if len(before) == 0 {
		t.Fatal("the evaluation kept nothing")
	}
	for _, o := range before {
		_, err := r.Env.S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: o.Key})
		must(t, err)
	}
	r.explained(t, pull(n, ""))
	if after := kept(); len(after) > 0 {
		t.Errorf("%d objects were kept", len(after))
	}
}

func TestExplanationIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	for target, want := range map[string]struct {
		status int
		id     string
	}{
		base + "/repos/7/prs/99/explain":          {404, ""},
		base + "/repos/8/prs/1/explain":           {404, ""},
		base + "/repos/x/prs/1/explain":           {400, "INVALID_REPO_ID"},
		base + "/repos/7/prs/0/explain":           {400, "INVALID_PULL_REQUEST_ID"},
		base + "/repos/7/prs/1/explain?all=yes":   {400, "INVALID_PARAMETER"},
		base + "/locks?limit=0":                   {400, "INVALID_PARAMETER"},
		base + "/locks?page=n&page=Nw&page=x":     {400, "INVALID_PARAMETER"},
		base + "/waiting?for=you":                 {400, "INVALID_PARAMETER"},
		"/api/v1/github/installations/43/waiting": {403, ""},
	} {
		got := r.Do(t, "GET", target, "")
		if got.Want(t, want.status, want.id); t.Failed() {
			t.Fatal(target)
		}
	}
	r.host.Fail(vcstest.Failure{Match: "/repositories/7", Status: http.StatusBadGateway})
	r.Do(t, "GET", pull(1, ""), "").Want(t, 503, "HOST_UNAVAILABLE")
	r.Caller = r.token(r.people["ann"], access.RunPlan)
	for _, target := range []string{pull(1, ""), base + "/locks", base + "/waiting"} {
		r.Do(t, "GET", target, "").Want(t, 403, "")
	}
	r.Caller = r.token(r.machine, access.RunRead)
	r.Do(t, "GET", base+"/waiting?for=me", "").Want(t, 400, "NO_ACCOUNT")
}

// page reads a list, page by page, and returns the numbers of the pull requests.
func (r *rig) page(t *testing.T, target string) (numbers []int64, pages int) {
	t.Helper()
	for target != "" {
		got := r.Do(t, "GET", target, "")
		var rows struct {
			Locks        []lockRow
			PullRequests []waitingRow `json:"pull_requests"`
		}
		got.Read(t, &rows)
		for _, row := range rows.Locks {
			numbers = append(numbers, row.PullNumber)
		}
		for _, row := range rows.PullRequests {
			numbers = append(numbers, row.PullNumber)
		}
		target = got.Links(t)["next"]
		pages++
	}
	return numbers, pages
}

func expect(t *testing.T, what string, got []int64, want ...int64) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestLocksAreListedWithTheirHolders applies two pull requests of three.
func TestLocksAreListedWithTheirHolders(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	first := r.open(t, "first", map[string]string{"net/main.tf": "a1"})
	r.apply(t, first)
	second := r.open(t, "second", map[string]string{"app/main.tf": "b1"})
	r.apply(t, second)
	third := r.open(t, "third", map[string]string{"app/main.tf": "b2"})
	numbers, pages := r.page(t, base+"/locks?limit=1")
	if expect(t, "locks", numbers, first, second); pages < 2 {
		t.Errorf("%d pages of one row", pages)
	}
	got := r.Do(t, "GET", base+"/locks", "")
	var list lockPage
	got.Read(t, &list)
	row := list.Locks[0]
	if row.Owner != "acme" || row.Repo != "infra" || row.RepoID != "7" || row.Title != "Change first" || row.User != "ann" || row.BaseBranch != "main" || row.Reason != "apply" ||
		row.Since == "" || row.Command != "terrateam unlock" || !strings.Contains(row.WayOut, fmt.Sprintf("Merge pull request #%d", first)) || len(row.Dirspaces) != 1 || row.Dirspaces[0].Dir != "net" {
		t.Errorf("got %+v", row)
	}
	blocked := r.explained(t, pull(third, "")).Dirspaces[0].Blocks
	if len(blocked) != 1 || blocked[0].ID != "LOCKED" || blocked[0].PullNumber != second || blocked[0].Since == "" || blocked[0].Title != "Change second" {
		t.Errorf("the third pull request is blocked by %+v", blocked)
	}
}

// TestWaitingPullRequestsAreListedForWhomTheyWaitFor has one for an approval and one for an
// apply.
func TestWaitingPullRequestsAreListedForWhomTheyWaitFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"net/main.tf": "a", "app/main.tf": "b", ".terrateam/config.yml": `apply_requirements:
  checks:
    - tag_query: 'dir:net'
      approved: { enabled: true, all_of: ['user:bob'], any_of: ['team:sre'], any_of_count: 1 }
    - tag_query: ''
      approved: { enabled: false }
`})
	approval := r.open(t, "approval", map[string]string{"net/main.tf": "a1"})
	apply := r.open(t, "apply", map[string]string{"app/main.tf": "b1"})
	r.host.Team("acme", "sre", "rob", true)
	r.host.Team("acme", "sre", "ann", true)
	numbers, pages := r.page(t, base+"/waiting?limit=1")
	if expect(t, "all", numbers, approval, apply); pages < 2 {
		t.Errorf("%d pages of one row", pages)
	}
	for login, want := range map[string][]int64{
		"ann": {apply},           // the author cannot approve
		"bob": {approval, apply}, // is named, and may write
		"rob": {approval},        // is in the team, and may read
	} {
		numbers, _ := r.as(login).page(t, base+"/waiting?for=me")
		expect(t, login, numbers, want...)
	}
	var list waitingPage
	r.Do(t, "GET", base+"/waiting", "").Read(t, &list)
	row := list.PullRequests[0]
	if row.WaitsFor != "approval" || row.Since == "" || row.Title != "Change approval" || row.User != "ann" || fmt.Sprint(row.Approvals) != "[{[user:bob] 1} {[team:sre] 1}]" || row.Dirspaces[0].Dir != "net" {
		t.Errorf("got %+v", row)
	}
	r.host.Fail(vcstest.Failure{Match: "/permission", Status: http.StatusBadGateway})
	r.as("bob").Do(t, "GET", base+"/waiting?for=me", "").Want(t, 503, "HOST_UNAVAILABLE")
	r.Do(t, "GET", base+"/waiting", "").Want(t, 200, "")
}

// as makes the following requests those of a person.
func (r *rig) as(login string) *rig {
	r.Caller = r.session(login)
	return r
}
