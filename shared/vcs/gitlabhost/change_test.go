package gitlabhost_test

import (
	"errors"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestBranchIsReadWithItsCommit(t *testing.T) {
	t.Parallel()
	client, host := withProject(t)
	for name, sha := range map[string]string{"main": "b0", "a/b": "d2"} {
		if got, err := client.Branch(t.Context(), infra, name); err != nil || got != (vcshost.Branch{Name: name, SHA: sha}) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if got, err := client.Branch(t.Context(), infra, "gone"); !errors.Is(err, vcshost.ErrNoBranch) {
		t.Errorf("got %+v, %v", got, err)
	}
	host.Fail(vcstest.Failure{Match: "/branches/", Times: 1, Status: 200, Body: `{"name":"main"}`})
	if got, err := client.Branch(t.Context(), infra, "main"); err == nil {
		t.Errorf("without a commit: got %+v", got)
	}
}

func TestMergeRequestIsReadAsItIsNow(t *testing.T) {
	t.Parallel()
	base := vcstest.Change{Number: 5, Title: "Add a bucket", Author: "bob", AuthorID: 8, Base: "main", BaseSHA: "b0", Head: "feature", HeadSHA: "c1", From: 7}
	want := vcshost.PullRequest{
		Number: 5, Title: "Add a bucket", Author: vcshost.Profile{ID: "8", Login: "bob"}, BaseBranch: "main", BaseSHA: "b0",
		Branch: "feature", SHA: "c1", From: "7", Open: true,
	}
	for name, change := range map[string]func(*vcstest.Change, *vcshost.PullRequest){
		"open":         func(*vcstest.Change, *vcshost.PullRequest) {},
		"being merged": func(c *vcstest.Change, _ *vcshost.PullRequest) { c.State = "locked" },
		"draft": func(c *vcstest.Change, w *vcshost.PullRequest) {
			c.Draft, w.Draft, w.Merge = true, true, vcshost.MergePossible
		},
		"fork":              func(c *vcstest.Change, w *vcshost.PullRequest) { c.From, w.From = 99, "99" },
		"fork that is gone": func(c *vcstest.Change, w *vcshost.PullRequest) { c.From, w.From = 0, "" },
		"closed":            func(c *vcstest.Change, w *vcshost.PullRequest) { c.State, w.Open = "closed", false },
		"merged": func(c *vcstest.Change, w *vcshost.PullRequest) {
			c.State, c.MergeCommit, w.Open, w.Merged, w.MergedSHA = "merged", "m1", false, true, "m1"
		},
		"merged by fast-forward": func(c *vcstest.Change, w *vcshost.PullRequest) {
			c.State, w.Open, w.Merged, w.MergedSHA = "merged", false, true, "c1"
		},
	} {
		client, host := withProject(t)
		c, w := base, want
		change(&c, &w)
		host.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: member(40), Projects: []vcstest.Project{{ID: 7, PathWithNamespace: "acme/infra", Changes: []vcstest.Change{c}}}})
		if got, err := client.PullRequest(t.Context(), infra, 5); err != nil || got != w {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, w)
		}
		if got, err := client.PullRequest(t.Context(), infra, 6); !errors.Is(err, vcshost.ErrGone) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestOnlyADeveloperOfTheProjectMayWrite(t *testing.T) {
	t.Parallel()
	client, host := withProject(t)
	host.Set(vcstest.Group{
		ID: 77, FullPath: "acme", Inherited: map[int64]int{8: 50, 1: 30, 2: 20, 3: 40},
		Projects: []vcstest.Project{{ID: 7, PathWithNamespace: "acme/infra"}},
	})
	for account, want := range map[string]bool{"1": true, "2": false, "3": true, "4": false} {
		got, err := client.MayWrite(t.Context(), infra, vcshost.Profile{ID: vcs.ID(account), Login: "x"})
		if err != nil || got != want {
			t.Errorf("account %s: got %t, %v", account, got, err)
		}
	}
	for body, wrong := range map[string]bool{`{}`: true, `{"id":1,"access_level":50,"state":"blocked"}`: false, `{"id":2,"access_level":50,"state":"active"}`: false} {
		host.Fail(vcstest.Failure{Match: "/members/all/", Times: 1, Status: 200, Body: body})
		if got, err := client.MayWrite(t.Context(), infra, vcshost.Profile{ID: "1", Login: "x"}); got || (err != nil) != wrong {
			t.Errorf("%s: got %t, %v", body, got, err)
		}
	}
}
