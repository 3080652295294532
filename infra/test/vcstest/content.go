package vcstest

import (
	"cmp"
	"slices"
)

// Content is the git data behind a repository of a stand-in. Memory keeps it in memory.
// An implementation may be used by several goroutines.
type Content interface {
	// Branch returns the commit of a branch.
	Branch(name string) (commit string, ok bool)
	// DeleteBranch reports whether there was a branch to delete.
	DeleteBranch(name string) bool
	// Files returns all files of a commit, in the order of their paths.
	Files(commit string) ([]File, bool)
	// Read returns the content of a file at a commit.
	Read(commit, path string) ([]byte, bool)
	// MergeBase returns the newest commit that two commits have in common.
	MergeBase(a, b string) (commit string, ok bool)
	// Mergeable reports whether a commit can be merged into another without a conflict.
	Mergeable(into, head string) bool
	// Merge merges a commit into a branch, with "merge", "squash" or "rebase", and moves the
	// branch. It returns the branch's new commit, and reports false if there is a conflict
	// or no such branch.
	Merge(branch, head, method, title string) (commit string, ok bool)
}

// File is a file of a repository at a commit.
type File struct {
	Path string
	// Mode is that of git: "100644", "100755" (executable), "120000" (symbolic link) or
	// "160000" (commit of a submodule).
	Mode string
	// ID is the id of git's blob, or of the commit of a submodule.
	ID string
	// Size is the number of bytes. It is 0 for a submodule.
	Size int
}

// submodule is the Mode of a submodule.
const submodule = "160000"

// Difference is a file that differs between two commits.
type Difference struct {
	Path string
	// Previous is the path before the file was moved without a change. It is empty if it was
	// not moved.
	Previous string
	// Status is "added", "modified", "removed" or "renamed".
	Status string
}

// Differences compares two commits, in the order of the paths.
func Differences(c Content, from, to string) []Difference {
	before, _ := c.Files(from)
	after, _ := c.Files(to)
	old := make(map[string]File, len(before))
	for _, f := range before {
		old[f.Path] = f
	}
	var list []Difference
	var added []File
	for _, f := range after {
		was, ok := old[f.Path]
		delete(old, f.Path)
		switch {
		case !ok:
			added = append(added, f)
		case was.ID != f.ID || was.Mode != f.Mode:
			list = append(list, Difference{Path: f.Path, Status: "modified"})
		}
	}
	removed := map[string][]string{} // paths by id
	for _, f := range before {
		if _, ok := old[f.Path]; ok {
			removed[f.ID] = append(removed[f.ID], f.Path)
		}
	}
	for _, f := range added {
		if paths := removed[f.ID]; len(paths) > 0 {
			removed[f.ID] = paths[1:]
			list = append(list, Difference{Path: f.Path, Previous: paths[0], Status: "renamed"})
			continue
		}
		list = append(list, Difference{Path: f.Path, Status: "added"})
	}
	for _, paths := range removed {
		for _, path := range paths {
			list = append(list, Difference{Path: path, Status: "removed"})
		}
	}
	slices.SortFunc(list, func(a, b Difference) int { return cmp.Compare(a.Path, b.Path) })
	return list
}
