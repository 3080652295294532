package demohost

import (
	"slices"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// Group is the id of the group at GitLab.
const Group = "77"

// Ids of what the hosts have. Ann administers everything.
const (
	installation = "424242"
	groupPath    = "acme-group"
	ann, bot     = 7, 9
)

// workflow is the path of the workflow file of the repositories that have one.
const workflow = ".github/workflows/terrateam.yml"

// updated is when the repositories were changed for the last time.
var updated = time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)

// repositories are those of the installation at GitHub. A refresh finds the last one, which
// no delivery names.
func repositories() []vcstest.Repository {
	all := []vcstest.Repository{
		{ID: 99001122, Name: "infra", Files: []string{workflow}, Changes: []vcstest.Change{change(99001122, 18, "Raise limits", "limits")}},
		{ID: 99001133, Name: "platform", Files: []string{workflow}, Changes: []vcstest.Change{change(99001133, 17, "New cluster", "cluster")}},
		{ID: 99001144, Name: "legacy", Archived: true},
		{ID: 99001155, Name: "modules"},
	}
	for i := range all {
		all[i].Owner, all[i].DefaultBranch, all[i].Private, all[i].UpdatedAt, all[i].Branches = "acme", "main", true, updated, commits()
	}
	return all
}

// projects are those of the group at GitLab.
func projects() []vcstest.Project {
	all := []vcstest.Project{
		{ID: 501, PathWithNamespace: groupPath + "/network", Changes: []vcstest.Change{change(501, 4, "Peer the networks again", "peering")}},
		{ID: 502, PathWithNamespace: groupPath + "/dns"},
		{ID: 503, PathWithNamespace: groupPath + "/storage", Archived: true},
		{ID: 504, PathWithNamespace: groupPath + "/backup"},
	}
	for i := range all {
		all[i].DefaultBranch, all[i].UpdatedAt, all[i].Branches = "main", updated, commits()
	}
	return all
}

// change is a pull request or merge request of a branch into main.
func change(repository, n int64, title, head string) vcstest.Change {
	return vcstest.Change{
		Number: n, Title: title, Author: "ann", AuthorID: ann, Base: "main", BaseSHA: mainCommit, Head: head, HeadSHA: branches[head].commit, From: repository,
	}
}

// fill gives the hosts everything that the demo's deliveries name.
func fill(github *vcstest.GitHub, gitlab *vcstest.GitLab) {
	github.Install(installation, repositories()...)
	github.Role("acme", "ann", ann, "admin")
	for _, r := range repositories() {
		github.Permit(r.Owner, r.Name, "ann", ann, "admin")
	}
	gitlab.Account(ann, "ann")
	gitlab.Account(bot, "bot")
	gitlab.Set(vcstest.Group{
		ID: number(Group), FullPath: groupPath, FullName: groupPath, Direct: map[int64]int{ann: 50}, Inherited: map[int64]int{ann: 50, bot: 40},
		Projects: projects(),
	})
}

// githubRepository returns a repository as the events of GitHub have it.
func (c *ci) githubRepository(fullName string) any {
	for _, r := range repositories() {
		if r.Owner+"/"+r.Name == fullName {
			return map[string]any{
				"id": r.ID, "name": r.Name, "full_name": fullName, "owner": map[string]any{"login": r.Owner}, "private": r.Private,
				"archived": r.Archived, "default_branch": r.DefaultBranch, "updated_at": r.UpdatedAt.Format(time.RFC3339),
			}
		}
	}
	return nil
}

// projectID returns the id of a project of GitLab.
func projectID(path string) int64 {
	all := projects()
	i := slices.IndexFunc(all, func(p vcstest.Project) bool { return p.PathWithNamespace == path })
	return all[i].ID
}
