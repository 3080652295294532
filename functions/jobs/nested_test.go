package main

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
)

// TestProjectOfANestedGroupBelongsToTheGroupAtTheTop refreshes a group within a
// group. One of its projects was stored with its path split before the last
// element.
func TestProjectOfANestedGroupBelongsToTheGroupAtTheTop(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.gitlab.Set(vcstest.Group{ID: 77, FullPath: "acme/platform", Inherited: map[int64]int{5: 40}, Projects: []vcstest.Project{
		{ID: 1, PathWithNamespace: "acme/platform/deep/infra", DefaultBranch: "main"},
	}})
	if err := r.groups.Put(t.Context(), "77", r.gitlab.Account(5, "bot"), r.author()); err != nil {
		t.Fatal(err)
	}
	earlier := born.Add(-time.Hour)
	before := vcs.Moment{At: earlier}.Version(earlier, "delivery")
	if err := r.repositories.Apply(t.Context(), r.author(), vcs.Installation{VCS: "gitlab", ID: "77"}, vcs.Description{ID: "1", Owner: "acme/platform/deep", Name: "infra"}, before); err != nil {
		t.Fatal(err)
	}
	r.settleAfter(t, r.start(t, "gitlab", "77"))
	got, err := r.repositories.Get(t.Context(), vcs.Installation{VCS: "gitlab", ID: "77"}.Repository("1"))
	if err != nil || got.Owner != "acme" || got.Name != "platform/deep/infra" {
		t.Errorf("owner %q, name %q, %v", got.Owner, got.Name, err)
	}
	of := vcs.Installation{VCS: vcs.GitLab, ID: "77"}
	client, err := (&hostclient.Hosts{GitLab: gitlabhost.New(r.gitlab.API), Tokens: r.groups}).Group(t.Context(), of.ID)
	if err != nil {
		t.Fatal(err)
	}
	source := source{host: client, of: of}
	if seen, err := source.one(t.Context(), "1"); err != nil || seen == nil || seen.Owner != "acme" || seen.Name != "platform/deep/infra" {
		t.Errorf("asked for by its id: %+v, %v", seen, err)
	}
	r.gitlab.Set(vcstest.Group{ID: 78, FullPath: "acme/platform-labs", Inherited: map[int64]int{5: 40}, Projects: []vcstest.Project{{ID: 2, PathWithNamespace: "acme/platform-labs/x"}}})
	if seen, err := source.one(t.Context(), "2"); err != nil || seen != nil {
		t.Errorf("a project of a group beside it: %+v, %v", seen, err)
	}
}
