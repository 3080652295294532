package vcstest

import (
	"net/http"
	"strconv"
)

// Change is a pull request or merge request at a stand-in.
type Change struct {
	Number int64
	Title  string
	// Author is the account that opened it.
	Author      string
	AuthorID    int64
	Base, Head  string // branches
	BaseSHA     string
	HeadSHA     string
	From        int64  // repository of Head; 0 stands for a fork that is gone
	State       string // the host's own word; empty stands for one that is open
	Draft       bool
	MergeCommit string
}

// changeOf returns the change with the number that a path names.
func changeOf(r *http.Request, all []Change) *Change {
	for i, c := range all {
		if strconv.FormatInt(c.Number, 10) == r.PathValue("number") {
			return &all[i]
		}
	}
	return nil
}

func (g *GitHub) branch(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo := named(r, all)
	if repo == nil || repo.Branches[r.PathValue("branch")] == "" {
		return nil
	}
	name := r.PathValue("branch")
	return map[string]any{"name": name, "commit": map[string]any{"sha": repo.Branches[name]}, "protected": false}
}

func (g *GitHub) pullRequest(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo := named(r, all)
	if repo == nil {
		return nil
	}
	c := changeOf(r, repo.Changes)
	if c == nil {
		return nil
	}
	var from any
	if c.From != 0 {
		from = map[string]any{"id": c.From}
	}
	state, merged := c.State, c.State == "merged"
	switch state {
	case "":
		state = "open"
	case "merged":
		state = "closed"
	}
	return map[string]any{
		"number": c.Number, "title": c.Title, "state": state, "draft": c.Draft, "merged": merged, "merge_commit_sha": c.MergeCommit,
		"user": map[string]any{"login": c.Author, "id": c.AuthorID},
		"base": map[string]any{"ref": c.Base, "sha": c.BaseSHA, "repo": map[string]any{"id": repo.ID}},
		"head": map[string]any{"ref": c.Head, "sha": c.HeadSHA, "repo": from},
	}
}

func (g *GitHub) permission(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	m, ok := g.collaborators[r.PathValue("owner")+"/"+r.PathValue("name")+"/"+r.PathValue("login")]
	if !ok || named(r, all) == nil {
		return nil
	}
	return map[string]any{"permission": m.role, "user": map[string]any{"login": r.PathValue("login"), "id": m.account}}
}

func (g *GitLab) branch(_ http.ResponseWriter, r *http.Request, account int64) any {
	p := g.projectOf(r, account)
	if p == nil || p.Branches[r.PathValue("branch")] == "" {
		return nil
	}
	name := r.PathValue("branch")
	return map[string]any{"name": name, "commit": map[string]any{"id": p.Branches[name]}}
}

func (g *GitLab) mergeRequest(_ http.ResponseWriter, r *http.Request, account int64) any {
	p := g.projectOf(r, account)
	if p == nil {
		return nil
	}
	c := changeOf(r, p.Changes)
	if c == nil {
		return nil
	}
	state := c.State
	if state == "" {
		state = "opened"
	}
	var from any
	if c.From != 0 {
		from = c.From
	}
	return map[string]any{
		"iid": c.Number, "title": c.Title, "state": state, "draft": c.Draft, "sha": c.HeadSHA, "source_branch": c.Head, "target_branch": c.Base,
		"source_project_id": from, "merge_commit_sha": c.MergeCommit, "diff_refs": map[string]any{"base_sha": c.BaseSHA},
		"author": map[string]any{"id": c.AuthorID, "username": c.Author},
	}
}

func (g *GitLab) projectMember(_ http.ResponseWriter, r *http.Request, account int64) any {
	p := g.projectOf(r, account)
	id, err := strconv.ParseInt(r.PathValue("account"), 10, 64)
	if p == nil || err != nil {
		return nil
	}
	for _, m := range g.groups {
		for _, each := range m.Projects {
			if level := m.Inherited[id]; each.ID == p.ID && level > 0 {
				return map[string]any{"id": id, "username": g.names[id], "state": "active", "access_level": level}
			}
		}
	}
	return nil
}
