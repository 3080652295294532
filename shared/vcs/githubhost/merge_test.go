package githubhost_test

import (
	"errors"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestPullRequestSaysWhetherItCouldBeMerged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	read := func() vcshost.Mergeability {
		t.Helper()
		got, err := r.client.PullRequest(t.Context(), infra, 5)
		if err != nil || got.SHA != r.head {
			t.Fatalf("got %+v, %v", got, err)
		}
		return got.Merge
	}
	r.change(func(c *vcstest.Change) { c.Unsettled = 1 })
	if got := read(); got != vcshost.MergeUnknown {
		t.Errorf("before the host knows: got %d", got)
	}
	if got := read(); got != vcshost.MergePossible {
		t.Errorf("without a conflict: got %d", got)
	}
	r.content.Commit("main", map[string][]byte{"a/main.tf": []byte("other")})
	if got := read(); got != vcshost.MergeConflict {
		t.Errorf("with a conflict: got %d", got)
	}
	r.host.Fail(vcstest.Failure{Match: "/pulls/5", Times: 1, Status: 200, Body: `{"number":5,"state":"closed","mergeable":true,"base":{"ref":"main","sha":"1"},"head":{"ref":"f","sha":"` + r.head + `"}}`})
	if got := read(); got != vcshost.MergeUnknown {
		t.Errorf("of a closed one: got %d", got)
	}
}

func TestPullRequestIsMergedOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method  vcshost.MergeMethod
		allowed []string
		merge   bool // the head becomes a parent
	}{
		{vcshost.MergeMerge, nil, true},
		{vcshost.MergeSquash, nil, false},
		{vcshost.MergeRebase, nil, false},
		{vcshost.MergeAuto, nil, true},
		{vcshost.MergeAuto, []string{"rebase", "squash"}, false},
		{vcshost.MergeAuto, []string{"rebase"}, false},
	} {
		r := newRig(t)
		r.update(func(repo *vcstest.Repository) { repo.Methods = c.allowed })
		for range 2 {
			if err := r.client.Merge(t.Context(), infra, 5, vcshost.Merge{Head: r.head, Method: c.method, Title: "Add (#5)"}); err != nil {
				t.Errorf("%s of %v: %v", c.method, c.allowed, err)
			}
		}
		if n := r.host.Asked("PUT /repos/acme/infra/pulls/5/merge"); n != 1 {
			t.Errorf("%s: it was merged %d times", c.method, n)
		}
		main, _ := r.content.Branch("main")
		base, _ := r.content.MergeBase(main, r.head)
		if content, _ := r.content.Read(main, "a/main.tf"); string(content) != "new" || (base == r.head) != c.merge {
			t.Errorf("%s of %v: the file is %q, the merge base is the head: %t", c.method, c.allowed, content, base == r.head)
		}
		if got, err := r.client.PullRequest(t.Context(), infra, 5); err != nil || !got.Merged || got.MergedSHA != main || got.SHA != r.head || got.BaseSHA != r.base {
			t.Errorf("%s: got %+v, %v", c.method, got, err)
		}
	}
}

func TestReasonWhyAPullRequestIsNotMergedIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*rig)
		merge  vcshost.Merge
		words  string // of the host
		sent   bool   // the merge was requested
	}{
		"closed":   {func(r *rig) { r.change(func(c *vcstest.Change) { c.State = "closed" }) }, vcshost.Merge{}, "", false},
		"pushed":   {func(r *rig) { r.content.Commit("feature", map[string][]byte{"x": []byte("x")}) }, vcshost.Merge{}, "", false},
		"conflict": {func(r *rig) { r.content.Commit("main", map[string][]byte{"c.tf": []byte("x")}) }, vcshost.Merge{}, "Pull Request is not mergeable", true},
		"rule of the branch": {func(r *rig) {
			r.change(func(c *vcstest.Change) { c.Blocked = "At least 1 approving review is required" })
		}, vcshost.Merge{}, "At least 1 approving review is required", true},
		"draft":              {func(r *rig) { r.change(func(c *vcstest.Change) { c.Draft = true }) }, vcshost.Merge{}, "Pull Request is still a draft", true},
		"method not allowed": {func(r *rig) { r.update(func(repo *vcstest.Repository) { repo.Methods = []string{"squash"} }) }, vcshost.Merge{Method: vcshost.MergeMerge}, "Merge commits are not allowed on this repository.", true},
		"pushed in between": {func(r *rig) {
			r.host.Fail(vcstest.Failure{Match: "/pulls/5/merge", Status: 409, Body: `{"message":"Head branch was modified. Review and try the merge again."}`})
		}, vcshost.Merge{}, "Head branch was modified. Review and try the merge again.", true},
	} {
		r := newRig(t)
		c.change(r)
		c.merge.Head = r.head
		if c.merge.Method == "" {
			c.merge.Method = vcshost.MergeSquash
		}
		err := r.client.Merge(t.Context(), infra, 5, c.merge)
		var rejected *vcshost.Rejection
		if !errors.Is(err, vcshost.ErrNotMergeable) || errors.As(err, &rejected) != (c.words != "") || rejected != nil && rejected.Words != c.words {
			t.Errorf("%s: got %v, want the words %q", name, err, c.words)
		}
		if n := r.host.Asked("PUT "); (n == 1) != c.sent {
			t.Errorf("%s: %d merges were requested", name, n)
		}
	}
	r := newRig(t)
	r.host.Fail(vcstest.Failure{Match: "PUT ", Times: 1, Status: 403, Body: `{"message":"refusing to allow a GitHub App to create or update workflow"}`})
	var refused *vcshost.Refusal
	if err := r.client.Merge(t.Context(), infra, 5, vcshost.Merge{Head: r.head, Method: vcshost.MergeMerge}); !errors.Is(err, vcshost.ErrNotMergeable) || !errors.As(err, &refused) || refused.Words == "" {
		t.Errorf("without a permission: %v", err)
	}
	if err := r.client.Merge(t.Context(), infra, 6, vcshost.Merge{Head: r.head, Method: vcshost.MergeMerge}); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("of one that is gone: %v", err)
	}
}

func TestMergeMethodsThatGitHubDoesNotShowAreMerge(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host.Choose(func(line string) *vcstest.Failure {
		if line == "GET /repos/acme/infra" {
			return &vcstest.Failure{Status: 200, Body: `{"id":7}`}
		}
		return nil
	})
	if err := r.client.Merge(t.Context(), infra, 5, vcshost.Merge{Head: r.head, Method: vcshost.MergeAuto}); err != nil {
		t.Fatal(err)
	}
	main, _ := r.content.Branch("main")
	if base, _ := r.content.MergeBase(main, r.head); base != r.head {
		t.Error("it was not merged with a merge commit")
	}
}

func TestBranchIsDeletedOnceOrMore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.content.SetBranch("a/b c#1", r.base)
	for _, name := range []string{"a/b c#1", "a/b c#1", "never"} {
		if err := r.client.DeleteBranch(t.Context(), infra, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, ok := r.content.Branch("a/b c#1"); ok {
		t.Error("the branch is still there")
	}
	if _, ok := r.content.Branch("main"); !ok {
		t.Error("another branch is gone")
	}
	r.host.Fail(vcstest.Failure{Match: "DELETE ", Times: 1, Status: 422, Body: `{"message":"Cannot delete this protected branch"}`})
	var rejected *vcshost.Rejection
	if err := r.client.DeleteBranch(t.Context(), infra, "main"); !errors.As(err, &rejected) || rejected.Words != "Cannot delete this protected branch" {
		t.Errorf("got %v", err)
	}
}
