package vcstest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// contentRoutes are the endpoints about branches, commits and files.
func (g *GitLab) contentRoutes(mux *http.ServeMux) {
	const repository = "/api/v4/projects/{project}/repository/"
	mux.HandleFunc("GET "+repository+"branches/{branch}", g.as(g.branch))
	mux.HandleFunc("DELETE "+repository+"branches/{branch}", g.as(g.deleteBranch))
	mux.HandleFunc("GET "+repository+"files/{file}/raw", g.as(g.rawFile))
	mux.HandleFunc("GET "+repository+"tree", g.as(g.tree))
	mux.HandleFunc("GET "+repository+"compare", g.as(g.compare))
	mux.HandleFunc("GET "+repository+"merge_base", g.as(g.mergeBase))
}

// tip returns the commit of a branch. It is empty if there is none.
func (p *Project) tip(branch string) string {
	if p.Content == nil {
		return p.Branches[branch]
	}
	commit, _ := p.Content.Branch(branch)
	return commit
}

func (g *GitLab) branch(_ http.ResponseWriter, r *http.Request, account int64) any {
	p, name := g.projectOf(r, account), r.PathValue("branch")
	if p == nil || p.tip(name) == "" {
		return nil
	}
	return map[string]any{"name": name, "commit": map[string]any{"id": p.tip(name)}}
}

func (g *GitLab) deleteBranch(_ http.ResponseWriter, r *http.Request, account int64) any {
	p, name := g.projectOf(r, account), r.PathValue("branch")
	switch {
	case p == nil || p.tip(name) == "":
		return nil
	case p.Content != nil:
		p.Content.DeleteBranch(name)
	default:
		delete(p.Branches, name)
	}
	return reply{status: http.StatusNoContent}
}

// raw is a response that is no JSON.
type raw []byte

func (g *GitLab) rawFile(_ http.ResponseWriter, r *http.Request, account int64) any {
	p := g.projectOf(r, account)
	if p == nil || p.Content == nil {
		return nil
	}
	content, ok := p.Content.Read(p.commitOf(r.FormValue("ref")), r.PathValue("file"))
	if !ok {
		return nil
	}
	return raw(content)
}

// commitOf returns the commit of a reference: the name of a branch, or the id of a commit.
func (p *Project) commitOf(ref string) string {
	if ref == "" {
		ref = p.DefaultBranch
	}
	if tip := p.tip(ref); tip != "" {
		return tip
	}
	return ref
}

// tree serves the recursive tree of a commit: whole, by pages with a token, or by pages with a
// number. No caller asks for one directory.
func (g *GitLab) tree(w http.ResponseWriter, r *http.Request, account int64) any {
	p := g.projectOf(r, account)
	if p == nil || p.Content == nil || r.FormValue("recursive") != "true" {
		return nil
	}
	files, ok := p.Content.Files(p.commitOf(r.FormValue("ref")))
	if !ok {
		return nil
	}
	list := []map[string]any{}
	for _, e := range entries(files) {
		list = append(list, map[string]any{"id": e.ID, "type": e.Type, "path": e.Path, "mode": e.Mode})
	}
	switch r.FormValue("pagination") {
	case "none":
		return list
	case "keyset":
	default:
		return cut(w, r, list)
	}
	size, err := strconv.Atoi(r.FormValue("per_page"))
	if err != nil || size < 1 {
		size = 20
	}
	size = min(size, 100)
	if last := r.FormValue("page_token"); last != "" {
		list = list[slices.IndexFunc(list, func(e map[string]any) bool { return e["id"].(string)+e["path"].(string) == last })+1:]
	}
	if len(list) < size {
		return list
	}
	list = list[:size]
	query := r.URL.Query()
	query.Set("page_token", list[size-1]["id"].(string)+list[size-1]["path"].(string))
	w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next"`, (&url.URL{Scheme: "https", Host: "gitlab.example.com", Path: r.URL.Path, RawQuery: query.Encode()}).String()))
	return list
}

// compare serves the comparison of the merge base of two commits with the second.
func (g *GitLab) compare(_ http.ResponseWriter, r *http.Request, account int64) any {
	p := g.projectOf(r, account)
	if p == nil || p.Content == nil {
		return nil
	}
	to := p.commitOf(r.FormValue("to"))
	common, ok := p.Content.MergeBase(p.commitOf(r.FormValue("from")), to)
	if !ok {
		return nil
	}
	most := g.MaxDiff
	if most == 0 {
		most = 1000
	}
	all := Differences(p.Content, common, to)
	diffs := []any{}
	for _, d := range all[:min(len(all), most)] {
		old := d.Path
		if d.Previous != "" {
			old = d.Previous
		}
		diffs = append(diffs, map[string]any{
			"old_path": old, "new_path": d.Path, "diff": "", "new_file": d.Status == "added", "renamed_file": d.Status == "renamed", "deleted_file": d.Status == "removed",
		})
	}
	return map[string]any{"commits": []any{}, "diffs": diffs, "compare_timeout": len(all) > most, "compare_same_ref": common == to}
}

func (g *GitLab) mergeBase(_ http.ResponseWriter, r *http.Request, account int64) any {
	p, refs := g.projectOf(r, account), r.URL.Query()["refs[]"]
	if p == nil || p.Content == nil {
		return nil
	}
	if len(refs) != 2 {
		return reply{http.StatusBadRequest, map[string]any{"message": "Provide at least 2 refs"}}
	}
	common, ok := p.Content.MergeBase(p.commitOf(refs[0]), p.commitOf(refs[1]))
	if !ok {
		return nil
	}
	return map[string]any{"id": common}
}
