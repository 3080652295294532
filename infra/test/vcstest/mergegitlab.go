package vcstest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

// mergeRoutes are the endpoints about merge requests themselves and their end, and about who
// may do what in a project.
func (g *GitLab) mergeRoutes(mux *http.ServeMux) {
	const request = "/api/v4/projects/{project}/merge_requests/{number}"
	mux.HandleFunc("GET "+request, g.as(g.mergeRequest))
	mux.HandleFunc("PUT "+request+"/merge", g.as(g.merge))
	mux.HandleFunc("GET /api/v4/projects/{project}/members/all/{account}", g.as(g.projectMember))
}

// request returns the project and the merge request that a path names.
func (g *GitLab) request(r *http.Request, account int64) (*Project, *Change) {
	p := g.projectOf(r, account)
	if p == nil {
		return nil, nil
	}
	return p, changeOf(r, p.Changes)
}

// opened reports whether a change is open at GitLab.
func (c *Change) opened() bool { return c.State == "" || c.State == "opened" }

// ends returns the commits of the base and the head of a change. The base of GitLab is the
// merge base.
func (p *Project) ends(c *Change) (base, head string) {
	base, head = c.BaseSHA, cmp.Or(c.HeadSHA, p.tip(c.Head))
	if base == "" && p.Content != nil {
		base, _ = p.Content.MergeBase(p.tip(c.Base), head)
	}
	return cmp.Or(base, p.tip(c.Base)), head
}

// conflicts reports whether a change has a conflict. A project without content has none.
func (p *Project) conflicts(c *Change) bool {
	_, head := p.ends(c)
	return p.Content != nil && !p.Content.Mergeable(p.tip(c.Base), head)
}

// mergeStatus returns GitLab's word for whether a change can be merged, or nil if the stand-in
// does not know.
func (p *Project) mergeStatus(c *Change) any {
	switch {
	case !c.opened():
		return "not_open"
	case c.Unsettled > 0:
		return "checking"
	case c.Blocked != "":
		return c.Blocked
	case c.Draft:
		return "draft_status"
	case p.conflicts(c):
		return "conflict"
	case p.Content == nil:
		return nil
	}
	return "mergeable"
}

func (g *GitLab) mergeRequest(_ http.ResponseWriter, r *http.Request, account int64) any {
	p, c := g.request(r, account)
	if c == nil {
		return nil
	}
	status := p.mergeStatus(c)
	c.Unsettled = max(0, c.Unsettled-1)
	return p.object(c, status)
}

func (p *Project) object(c *Change, status any) any {
	var from any
	if c.From != 0 {
		from = c.From
	}
	base, head := p.ends(c)
	return map[string]any{
		"iid": c.Number, "title": c.Title, "state": cmp.Or(c.State, "opened"), "draft": c.Draft, "sha": head, "source_branch": c.Head, "target_branch": c.Base,
		"source_project_id": from, "merge_commit_sha": c.MergeCommit, "diff_refs": map[string]any{"base_sha": base},
		"author":                map[string]any{"id": c.AuthorID, "username": c.Author},
		"detailed_merge_status": status, "has_conflicts": p.conflicts(c),
	}
}

// merge merges a merge request. Only a developer of the project may.
func (g *GitLab) merge(_ http.ResponseWriter, r *http.Request, account int64) any {
	p, c := g.request(r, account)
	if c == nil {
		return nil
	}
	var body struct {
		SHA           string `json:"sha"`
		Squash        bool   `json:"squash"`
		Message       string `json:"merge_commit_message"`
		SquashMessage string `json:"squash_commit_message"`
	}
	refused := func(status int, message string) any { return reply{status, map[string]any{"message": message}} }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return refused(http.StatusBadRequest, "the body cannot be read")
	}
	_, head := p.ends(c)
	status, _ := p.mergeStatus(c).(string)
	switch {
	case g.levelOf(p, account) < 30:
		return refused(http.StatusUnauthorized, "401 Unauthorized")
	case status == "conflict":
		return refused(http.StatusUnprocessableEntity, "Branch cannot be merged")
	case status != "" && status != "mergeable":
		return refused(http.StatusMethodNotAllowed, "405 Method Not Allowed")
	case body.SHA != "" && body.SHA != head:
		return refused(http.StatusConflict, "SHA does not match HEAD of source branch: "+head)
	}
	method, title := "merge", body.Message
	switch {
	case body.Squash:
		method, title = "squash", body.SquashMessage
	case p.MergeMethod == "ff":
		method = "rebase"
	}
	if !g.deed(p, c).merge(Account{account, g.names[account]}, method, title) {
		return refused(http.StatusUnprocessableEntity, "Branch cannot be merged")
	}
	return p.object(c, "not_open")
}

// deed begins something that an account does with a merge request.
func (g *GitLab) deed(p *Project, c *Change) deedGitLab {
	for _, m := range g.groups {
		if slices.ContainsFunc(m.Projects, func(each Project) bool { return each.ID == p.ID }) {
			return deedGitLab{host: g, group: m.ID, project: p, change: c}
		}
	}
	return deedGitLab{host: g, project: p, change: c}
}

// levelOf returns the access level of an account in a project.
func (g *GitLab) levelOf(p *Project, account int64) int {
	for _, m := range g.groups {
		for _, each := range m.Projects {
			if each.ID == p.ID {
				return m.Inherited[account]
			}
		}
	}
	return 0
}

func (g *GitLab) projectMember(_ http.ResponseWriter, r *http.Request, account int64) any {
	p := g.projectOf(r, account)
	id, err := strconv.ParseInt(r.PathValue("account"), 10, 64)
	if p == nil || err != nil {
		return nil
	}
	level := g.levelOf(p, id)
	if level == 0 {
		return nil
	}
	return map[string]any{"id": id, "username": g.names[id], "state": "active", "access_level": level}
}
