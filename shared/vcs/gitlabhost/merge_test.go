package gitlabhost_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// recorded keeps how a branch was merged.
type recorded struct {
	vcstest.Content
	how, title string
}

func (r *recorded) Merge(branch, head, method, title string) (string, bool) {
	r.how, r.title = method, title
	return r.Content.Merge(branch, head, method, title)
}

func TestMergeFollowsTheMethodAndTheProject(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		project string
		method  vcshost.MergeMethod
		how     string
	}{
		{"", vcshost.MergeAuto, "merge"},
		{"", vcshost.MergeMerge, "merge"},
		{"", vcshost.MergeSquash, "squash"},
		{"", vcshost.MergeRebase, "merge"},
		{"ff", vcshost.MergeAuto, "rebase"},
		{"ff", vcshost.MergeMerge, "rebase"},
		{"ff", vcshost.MergeSquash, "squash"},
		{"ff", vcshost.MergeRebase, "rebase"},
	} {
		client, host, content := withContent(t)
		record := &recorded{Content: content}
		host.Update(7, func(p *vcstest.Project) { p.Content, p.MergeMethod = record, c.project })
		head := tip(content, "feature")
		for range 2 { // the second finds it merged
			if err := client.Merge(t.Context(), infra, 5, vcshost.Merge{Head: head, Method: c.method, Title: "Add a bucket (!5)"}); err != nil {
				t.Errorf("%+v: %v", c, err)
			}
		}
		if record.how != c.how || record.title != "Add a bucket (!5)" || host.Asked("PUT ") != 1 {
			t.Errorf("%+v: merged by %q with the title %q and %d requests", c, record.how, record.title, host.Asked("PUT "))
		}
		got, err := client.PullRequest(t.Context(), infra, 5)
		if err != nil || !got.Merged || got.MergedSHA != tip(content, "main") {
			t.Errorf("%+v: GitLab has %+v, %v", c, got, err)
		}
	}
}

func TestMergeThatGitLabRefusesSaysWhy(t *testing.T) {
	t.Parallel()
	put := func(status int, body string) func(*vcstest.GitLab, *vcstest.Memory) {
		return func(host *vcstest.GitLab, _ *vcstest.Memory) {
			host.Fail(vcstest.Failure{Match: "PUT ", Status: status, Body: body})
		}
	}
	change := func(f func(*vcstest.Change)) func(*vcstest.GitLab, *vcstest.Memory) {
		return func(host *vcstest.GitLab, _ *vcstest.Memory) {
			host.Update(7, func(p *vcstest.Project) { f(&p.Changes[0]) })
		}
	}
	for name, c := range map[string]struct {
		prepare func(*vcstest.GitLab, *vcstest.Memory)
		words   string // of GitLab
		puts    int
	}{
		"closed":       {change(func(c *vcstest.Change) { c.State = "closed" }), "", 0},
		"draft":        {change(func(c *vcstest.Change) { c.Draft = true }), "405 Method Not Allowed", 1},
		"not approved": {change(func(c *vcstest.Change) { c.Blocked = "not_approved" }), "405 Method Not Allowed", 1},
		"another head": {func(_ *vcstest.GitLab, m *vcstest.Memory) { m.Commit("feature", map[string][]byte{"x": []byte("1")}) }, "", 0},
		"conflict": {func(_ *vcstest.GitLab, m *vcstest.Memory) {
			m.Commit("main", map[string][]byte{"main.tf": []byte("3")})
		}, "Branch cannot be merged", 1},
		"push between the two requests": {put(409, `{"message":"SHA does not match HEAD of source branch: c2"}`), "SHA does not match HEAD of source branch", 1},
		"status 406":                    {put(406, `{"message":"Branch cannot be merged"}`), "Branch cannot be merged", 1},
		"merge that did not happen":     {put(200, `{"iid":5,"state":"opened","merge_error":"x"}`), "", 1},
	} {
		client, host, content := withContent(t)
		head := tip(content, "feature")
		c.prepare(host, content)
		err := client.Merge(t.Context(), infra, 5, vcshost.Merge{Head: head, Method: vcshost.MergeMerge})
		var rejected *vcshost.Rejection
		if !errors.Is(err, vcshost.ErrNotMergeable) || errors.As(err, &rejected) != (c.words != "") || rejected != nil && !strings.Contains(rejected.Words, c.words) {
			t.Errorf("%s: got %v", name, err)
		}
		if !vcshost.NothingDone(err) {
			t.Errorf("%s: %v may have taken effect", name, err)
		}
		if n := host.Asked("PUT "); n != c.puts {
			t.Errorf("%s: %d merges were asked for, want %d", name, n, c.puts)
		}
	}
}

func TestTokenThatMayNotMergeIsNoTokenThatEnded(t *testing.T) {
	t.Parallel()
	client, host, content := withContent(t)
	var p vcstest.Project
	host.Update(7, func(each *vcstest.Project) { p = *each })
	host.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: member(20), Projects: []vcstest.Project{p}})
	err := client.Merge(t.Context(), infra, 5, vcshost.Merge{Head: tip(content, "feature"), Method: vcshost.MergeMerge})
	if !errors.Is(err, vcshost.ErrNotMergeable) || !errors.Is(err, vcshost.ErrForbidden) || errors.Is(err, vcshost.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestMergeUnderWayIsWaitedFor(t *testing.T) {
	t.Parallel()
	client, host, content := withContent(t)
	host.Update(7, func(p *vcstest.Project) { p.Changes[0].State = "locked" })
	err := client.Merge(t.Context(), infra, 5, vcshost.Merge{Head: tip(content, "feature"), Method: vcshost.MergeMerge})
	var limited *vcshost.Limited
	if !errors.As(err, &limited) || host.Asked("PUT ") != 0 {
		t.Errorf("got %v", err)
	}
}

func TestMergeabilityFollowsFromTheMergeStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]vcshost.Mergeability{
		"mergeable": vcshost.MergePossible, "ci_still_running": vcshost.MergePossible, "ci_must_pass": vcshost.MergePossible,
		"not_approved": vcshost.MergePossible, "draft_status": vcshost.MergePossible, "discussions_not_resolved": vcshost.MergePossible,
		"need_rebase": vcshost.MergePossible, "requested_changes": vcshost.MergePossible, "approvals_syncing": vcshost.MergePossible,
		"merge_request_blocked": vcshost.MergePossible, "of a later version": vcshost.MergePossible,
		"conflict": vcshost.MergeConflict, "broken_status": vcshost.MergeConflict,
		"checking": vcshost.MergeUnknown, "unchecked": vcshost.MergeUnknown, "preparing": vcshost.MergeUnknown, "not_open": vcshost.MergeUnknown,
	} {
		client, host, content := withContent(t)
		host.Update(7, func(p *vcstest.Project) { p.Changes[0].Blocked = status })
		if got, err := client.PullRequest(t.Context(), infra, 5); err != nil || got.Merge != want {
			t.Errorf("%s: got %d, %v, want %d", status, got.Merge, err, want)
		}
		// A conflict counts also if GitLab names another reason first.
		content.Commit("main", map[string][]byte{"main.tf": []byte("3")})
		if want == vcshost.MergePossible {
			want = vcshost.MergeConflict
		}
		if got, err := client.PullRequest(t.Context(), infra, 5); err != nil || got.Merge != want {
			t.Errorf("%s with a conflict: got %d, %v, want %d", status, got.Merge, err, want)
		}
		host.Update(7, func(p *vcstest.Project) { p.Changes[0].State = "closed" })
		if got, err := client.PullRequest(t.Context(), infra, 5); err != nil || got.Merge != vcshost.MergeUnknown {
			t.Errorf("%s, closed: got %d, %v", status, got.Merge, err)
		}
	}
}

func TestBranchIsDeletedOnce(t *testing.T) {
	t.Parallel()
	client, host, content := withContent(t)
	content.SetBranch("a/b", tip(content, "main"))
	for range 2 {
		if err := client.DeleteBranch(t.Context(), infra, "a/b"); err != nil {
			t.Error(err)
		}
	}
	if got := tip(content, "a/b"); got != "" || tip(content, "main") == "" {
		t.Errorf("the branch is at %s", got)
	}
	host.Fail(vcstest.Failure{Match: "DELETE ", Status: 403, Body: `{"message":"Protected branch"}`})
	var refusal *vcshost.Refusal
	if err := client.DeleteBranch(t.Context(), infra, "main"); !errors.As(err, &refusal) || refusal.Words != "Protected branch" {
		t.Errorf("got %v", err)
	}
}
