package vcstest

import (
	"cmp"
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
	_, head := repo.ends(c)
	switch {
	case c.open() && body.SHA != "" && body.SHA != head:
		return refused(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	case methodNames[body.Method] == "":
		return refused(http.StatusUnprocessableEntity, "Validation Failed")
	}
	why := repo.unmergeable(c, body.Method)
	if why == "" && !g.deed(repo, c).merge(g.bot(), body.Method, body.Title) {
		why = notMergeable
	}
	if why != "" {
		return refused(http.StatusMethodNotAllowed, why)
	}
	return map[string]any{"sha": c.MergeCommit, "merged": true, "message": fmt.Sprintf("Pull Request successfully merged by %s", body.Method)}
}

// methodNames are the ways to merge, in GitHub's words.
var methodNames = map[string]string{"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}

const notMergeable = "Pull Request is not mergeable"

// unmergeable returns why a change is not merged now, in GitHub's words. It is empty if nothing
// is in the way.
func (r *Repository) unmergeable(c *Change, method string) string {
	switch {
	case !c.open():
		return notMergeable
	case c.Draft:
		return "Pull Request is still a draft"
	case c.Blocked != "":
		return c.Blocked
	case !r.allows(method):
		return methodNames[method] + " are not allowed on this repository."
	case r.conflicts(c):
		return notMergeable
	}
	return ""
}

// merge merges the pull request, which nothing may be in the way of. It reports false for a
// conflict that only this way to merge has.
func (d deedGitHub) merge(by Account, method, title string) bool {
	base, head := d.repo.ends(d.change)
	before := d.repo.tip(d.change.Base)
	commit, ok := "merge-of-"+head, true
	if d.repo.Content != nil {
		commit, ok = d.repo.Content.Merge(d.change.Base, head, method, cmp.Or(title, fmt.Sprintf("%s (#%d)", d.change.Title, d.change.Number)))
	}
	if !ok {
		return false
	}
	d.change.State, d.change.BaseSHA, d.change.HeadSHA, d.change.MergeCommit, d.change.ClosedAt = "merged", base, head, commit, d.host.Now.now()
	if d.repo.Branches != nil {
		d.repo.Branches[d.change.Base] = commit
	}
	d.tell("closed", by, nil)
	d.tellPush(d.change.Base, before, commit, by)
	return true
}

// close closes the pull request without merging it. It keeps the commits that it has now.
func (d deedGitHub) close(by Account) {
	d.change.BaseSHA, d.change.HeadSHA = d.repo.ends(d.change)
	d.change.State, d.change.ClosedAt = "closed", d.host.Now.now()
	d.tell("closed", by, nil)
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
			g.deed(repo, c).close(g.bot())
		}
	}
	if repo.Content != nil {
		repo.Content.DeleteBranch(name)
	} else {
		delete(repo.Branches, name)
	}
	return reply{status: http.StatusNoContent}
}
