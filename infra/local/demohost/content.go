package demohost

import (
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/infra/test/vcstest/gitrepo"
)

// Group is the id of the group at GitLab.
const Group = "77"

// Ids of what the hosts have.
const (
	installation  = "424242"
	groupPath     = "acme-group"
	ann, bob, bot = 7, 8, 9
)

// updated is when the repositories were changed for the last time.
var updated = time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)

// repositories are those of the installation at GitHub. A refresh finds the last one, which
// no delivery names.
func repositories() []vcstest.Repository {
	all := []vcstest.Repository{
		{ID: 99001122, Name: "infra", Changes: []vcstest.Change{change(99001122, 18, "Raise limits", "limits")}},
		{ID: 99001133, Name: "platform", Changes: []vcstest.Change{change(99001133, 17, "New cluster", "cluster")}},
		{ID: 99001144, Name: "legacy", Archived: true},
		{ID: 99001155, Name: "modules"},
	}
	for i := range all {
		all[i].Owner, all[i].DefaultBranch, all[i].Private, all[i].UpdatedAt = "acme", gitrepo.DefaultBranch, true, updated
	}
	return all
}

// ready reports whether a repository of GitHub has a workflow file.
func ready(r vcstest.Repository) bool { return r.Name == "infra" || r.Name == "platform" }

// projects are those of the group at GitLab.
func projects() []vcstest.Project {
	all := []vcstest.Project{
		{ID: 501, PathWithNamespace: groupPath + "/network", Changes: []vcstest.Change{change(501, 4, "Peer the networks again", "peering")}},
		{ID: 502, PathWithNamespace: groupPath + "/dns"},
		{ID: 503, PathWithNamespace: groupPath + "/storage", Archived: true},
		{ID: 504, PathWithNamespace: groupPath + "/backup"},
	}
	for i := range all {
		all[i].DefaultBranch, all[i].UpdatedAt = gitrepo.DefaultBranch, updated
	}
	return all
}

// change is a pull request or merge request of a branch into main.
func change(repository, n int64, title, head string) vcstest.Change {
	return vcstest.Change{Number: n, Title: title, Author: "ann", AuthorID: ann, Base: gitrepo.DefaultBranch, Head: head, From: repository, CreatedAt: updated, UpdatedAt: updated}
}

// fill gives the hosts everything that the demo's deliveries name, with git repositories
// below a folder.
func fill(github *vcstest.GitHub, gitlab *vcstest.GitLab, folder string, report func(error)) (checkouts, error) {
	atGitHub, atGitLab, extras := repositories(), projects(), map[string]string{}
	for _, r := range atGitHub {
		extras["github/"+r.Owner+"/"+r.Name] = ""
		if ready(r) {
			extras["github/"+r.Owner+"/"+r.Name] = "github"
		}
	}
	for _, p := range atGitLab {
		extras["gitlab/"+p.PathWithNamespace] = "gitlab"
	}
	git, err := openRepositories(folder, extras)
	if err != nil {
		return nil, err
	}
	content := func(name string) vcstest.Content {
		return gitrepo.Content{Repository: git[name], Now: time.Now, Report: report}
	}
	for i, r := range atGitHub {
		atGitHub[i].Content = content("github/" + r.Owner + "/" + r.Name)
	}
	for i, p := range atGitLab {
		atGitLab[i].Content = content("gitlab/" + p.PathWithNamespace)
	}
	github.Install(installation, atGitHub...)
	github.Role("acme", "ann", ann, "admin")
	github.Role("acme", "bob", bob, "member")
	for _, r := range atGitHub {
		github.Permit(r.Owner, r.Name, "ann", ann, "admin")
		github.Permit(r.Owner, r.Name, "bob", bob, "write")
	}
	gitlab.Account(ann, "ann")
	gitlab.Account(bob, "bob")
	gitlab.Account(bot, "bot")
	gitlab.Set(vcstest.Group{
		ID: number(Group), FullPath: groupPath, FullName: groupPath, Direct: map[int64]int{ann: 50}, Inherited: map[int64]int{ann: 50, bob: 30, bot: 40},
		Projects: atGitLab,
	})
	return git, nil
}
