package vcstest

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"path"
	"slices"
	"strings"
)

// contentRoutes are the endpoints about branches, commits and files.
func (g *GitHub) contentRoutes(mux *http.ServeMux) {
	const repo = "/api/v3/repos/{owner}/{name}/"
	mux.HandleFunc("GET "+repo+"branches/{branch}", g.of(g.branch))
	mux.HandleFunc("GET "+repo+"contents/{path...}", g.of(g.contents))
	mux.HandleFunc("GET "+repo+"git/trees/{tree}", g.of(g.tree))
	mux.HandleFunc("GET "+repo+"compare/{range}", g.of(g.compare))
}

// tip returns the commit of a branch. It is empty if there is none.
func (r *Repository) tip(branch string) string {
	if r.Content == nil {
		return r.Branches[branch]
	}
	commit, _ := r.Content.Branch(branch)
	return commit
}

func (g *GitHub) branch(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo, name := named(r, all), r.PathValue("branch")
	if repo == nil || repo.tip(name) == "" {
		return nil
	}
	return map[string]any{"name": name, "commit": map[string]any{"sha": repo.tip(name)}, "protected": false}
}

// maxContent is the size of the largest file whose content is in the JSON of a response, in
// bytes ("Get repository content", GitHub documentation).
const maxContent = 1 << 20

func (g *GitHub) contents(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo, file := named(r, all), r.PathValue("path")
	switch {
	case repo == nil:
		return nil
	case repo.Content == nil && slices.Contains(repo.Files, file):
		return map[string]any{"type": "file", "path": file, "encoding": "base64", "content": ""}
	case repo.Content == nil:
		return nil
	}
	ref := r.FormValue("ref")
	if ref == "" {
		ref = repo.DefaultBranch
	}
	if tip := repo.tip(ref); tip != "" {
		ref = tip
	}
	files, _ := repo.Content.Files(ref)
	var below []any
	for _, f := range files {
		switch {
		case f.Path == file && f.Mode == submodule:
			return map[string]any{"type": "submodule", "path": file, "sha": f.ID}
		case f.Path == file:
			return contentOf(repo.Content, ref, f)
		case strings.HasPrefix(f.Path, file+"/"):
			below = append(below, map[string]any{"type": "file", "path": f.Path, "sha": f.ID})
		}
	}
	if below == nil {
		return nil
	}
	return below
}

// contentOf returns a file with its content, unless it is too large.
func contentOf(c Content, commit string, f File) any {
	body := map[string]any{"type": "file", "path": f.Path, "sha": f.ID, "size": f.Size, "encoding": "none", "content": ""}
	if content, ok := c.Read(commit, f.Path); ok && len(content) <= maxContent {
		// GitHub breaks the lines, as MIME does.
		text := base64.StdEncoding.EncodeToString(content)
		lines := slices.Collect(slices.Chunk([]byte(text), 60))
		var all strings.Builder
		for _, line := range lines {
			all.Write(line)
			all.WriteByte('\n')
		}
		body["encoding"], body["content"] = "base64", all.String()
	}
	return body
}

// compare serves the comparison of the merge base of two commits with the second. It names at
// most 300 files, and those on the first page only.
func (g *GitHub) compare(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo := named(r, all)
	base, head, ok := strings.Cut(r.PathValue("range"), "...")
	if repo == nil || repo.Content == nil || !ok {
		return nil
	}
	common, ok := repo.Content.MergeBase(base, head)
	if !ok {
		return nil
	}
	files := []any{}
	for _, d := range Differences(repo.Content, common, head) {
		file := map[string]any{"filename": d.Path, "status": d.Status}
		if d.Previous != "" {
			file["previous_filename"] = d.Previous
		}
		files = append(files, file)
	}
	body := map[string]any{"status": "ahead", "merge_base_commit": map[string]any{"sha": common}, "commits": []any{}}
	if page := r.FormValue("page"); page == "" || page == "1" {
		body["files"] = files[:min(len(files), 300)]
	}
	return body
}

// entry is an entry of a tree.
type entry struct {
	Path string `json:"path"`
	Mode string `json:"mode"`
	Type string `json:"type"`
	ID   string `json:"sha"`
	Size int    `json:"size,omitempty"`
}

// tree serves the files of a commit, or of a directory that an earlier response named.
func (g *GitHub) tree(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo, id := named(r, all), r.PathValue("tree")
	if repo == nil || repo.Content == nil {
		return nil
	}
	files, ok := repo.Content.Files(id)
	if !ok {
		if files, ok = g.trees[id]; !ok {
			return nil
		}
	}
	most := g.MaxTree
	if most == 0 {
		most = 100_000
	}
	list, truncated := entries(files), false
	if r.FormValue("recursive") == "" {
		g.remember(files, list)
		list = slices.DeleteFunc(list, func(e entry) bool { return strings.Contains(e.Path, "/") })
	} else if truncated = len(list) > most; truncated {
		list = list[:most]
	}
	return map[string]any{"sha": id, "tree": list, "truncated": truncated}
}

// entries returns the entries of a recursive tree: the files, and the directories above them.
func entries(files []File) []entry {
	sums := map[string]hash.Hash{}
	for _, f := range files {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if sums[dir] == nil {
				sums[dir] = sha1.New()
			}
			fmt.Fprintf(sums[dir], "%s %s %s\n", f.Mode, f.ID, strings.TrimPrefix(f.Path, dir+"/"))
		}
	}
	list := make([]entry, 0, len(files)+len(sums))
	for dir, sum := range sums {
		list = append(list, entry{Path: dir, Mode: "040000", Type: "tree", ID: hex.EncodeToString(sum.Sum(nil))})
	}
	for _, f := range files {
		kind := "blob"
		if f.Mode == submodule {
			kind = "commit"
		}
		list = append(list, entry{f.Path, f.Mode, kind, f.ID, f.Size})
	}
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// remember keeps the files of the directories at the top of a list, by the ids of their trees.
func (g *GitHub) remember(files []File, list []entry) {
	below := map[string][]File{}
	for _, f := range files {
		if dir, rest, ok := strings.Cut(f.Path, "/"); ok {
			f.Path = rest
			below[dir] = append(below[dir], f)
		}
	}
	for _, e := range list {
		if e.Type == "tree" && below[e.Path] != nil {
			g.trees[e.ID] = below[e.Path]
		}
	}
}
