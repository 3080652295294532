package vcstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// mergeRoutes are the endpoints about pull requests themselves and their end.
func (g *GitHub) mergeRoutes(mux *http.ServeMux) {
	const repo = "/api/v3/repos/{owner}/{name}/"
	mux.HandleFunc("GET /api/v3/repos/{owner}/{name}", g.of(func(_ http.ResponseWriter, r *http.Request, all []Repository) any {
		if repo := named(r, all); repo != nil {
			return repo.object()
		}
		return nil
	}))
	mux.HandleFunc("GET "+repo+"pulls/{number}", g.of(g.pullRequest))
	mux.HandleFunc("PUT "+repo+"pulls/{number}/merge", g.of(g.merge))
	mux.HandleFunc("DELETE "+repo+"git/refs/heads/{branch...}", g.of(g.deleteBranch))
}

// allows reports whether the repository allows a way to merge.
func (r *Repository) allows(method string) bool {
	return r.Methods == nil || slices.Contains(r.Methods, method)
}

// ends returns the commits of the base and the head of a change.
func (r *Repository) ends(c *Change) (base, head string) {
	base, head = c.BaseSHA, c.HeadSHA
	if base == "" {
		base = r.tip(c.Base)
	}
	if head == "" {
		head = r.tip(c.Head)
	}
	return base, head
}

// conflicts reports whether a change has a conflict. A repository without content has none.
func (r *Repository) conflicts(c *Change) bool {
	_, head := r.ends(c)
	return r.Content != nil && !r.Content.Mergeable(r.tip(c.Base), head)
}

func (g *GitHub) pullRequest(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo, c := pull(r, all)
	if c == nil {
		return nil
	}
	var from, mergeable any
	if c.From != 0 {
		from = map[string]any{"id": c.From}
	}
	switch {
	case c.Unsettled > 0:
		c.Unsettled--
	case c.open() && repo.Content != nil:
		mergeable = !repo.conflicts(c)
	}
	state, merged := c.State, c.State == "merged"
	switch state {
	case "":
		state = "open"
	case "merged":
		state = "closed"
	}
	base, head := repo.ends(c)
	return map[string]any{
		"number": c.Number, "title": c.Title, "state": state, "draft": c.Draft, "merged": merged, "merge_commit_sha": c.MergeCommit, "mergeable": mergeable,
		"user": map[string]any{"login": c.Author, "id": c.AuthorID},
		"base": map[string]any{"ref": c.Base, "sha": base, "repo": map[string]any{"id": repo.ID}},
		"head": map[string]any{"ref": c.Head, "sha": head, "repo": from},
	}
}

func (g *GitHub) merge(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo, c := pull(r, all)
	if c == nil {
		return nil
	}
	var body struct {
		SHA    string `json:"sha"`
		Method string `json:"merge_method"`
		Title  string `json:"commit_title"`
	}
	refused := func(status int, message string) any { return reply{status, map[string]any{"message": message}} }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return refused(http.StatusBadRequest, "Problems parsing JSON")
	}
	base, head := repo.ends(c)
	names := map[string]string{"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}
	switch {
	case !c.open():
		return refused(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	case body.SHA != "" && body.SHA != head:
		return refused(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	case c.Draft:
		return refused(http.StatusMethodNotAllowed, "Pull Request is still a draft")
	case c.Blocked != "":
		return refused(http.StatusMethodNotAllowed, c.Blocked)
	case names[body.Method] == "":
		return refused(http.StatusUnprocessableEntity, "Validation Failed")
	case !repo.allows(body.Method):
		return refused(http.StatusMethodNotAllowed, names[body.Method]+" are not allowed on this repository.")
	case repo.conflicts(c):
		return refused(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	}
	commit, ok := "merge-of-"+head, true
	if repo.Content != nil {
		commit, ok = repo.Content.Merge(c.Base, head, body.Method, body.Title)
	}
	if !ok {
		return refused(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	}
	c.State, c.BaseSHA, c.HeadSHA, c.MergeCommit = "merged", base, head, commit
	if repo.Branches != nil {
		repo.Branches[c.Base] = commit
	}
	return map[string]any{"sha": c.MergeCommit, "merged": true, "message": fmt.Sprintf("Pull Request successfully merged by %s", body.Method)}
}

// deleteBranch deletes a branch. It closes the pull requests of the branch.
func (g *GitHub) deleteBranch(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo, name := named(r, all), r.PathValue("branch")
	if repo == nil {
		return nil
	}
	if repo.tip(name) == "" {
		return reply{http.StatusUnprocessableEntity, map[string]any{"message": "Reference does not exist"}}
	}
	for i := range repo.Changes {
		if c := &repo.Changes[i]; c.open() && c.Head == name && c.From == repo.ID {
			c.BaseSHA, c.HeadSHA = repo.ends(c)
			c.State = "closed"
		}
	}
	if repo.Content != nil {
		repo.Content.DeleteBranch(name)
	} else {
		delete(repo.Branches, name)
	}
	return reply{status: http.StatusNoContent}
}
