package vcstest

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Memory is a Content in memory. Its blobs have the ids of git. Its commits do not.
type Memory struct {
	mu       sync.Mutex
	commits  map[string]commit
	branches map[string]string
	blobs    map[string][]byte // by id
}

// commit is a commit of a Memory.
type commit struct {
	parents []string
	files   map[string]File
}

// NewMemory returns a repository without branches.
func NewMemory() *Memory {
	return &Memory{commits: map[string]commit{}, branches: map[string]string{}, blobs: map[string][]byte{}}
}

// Commit makes a commit on a branch and returns its id. The files are those of the branch, with
// changes by path: a nil content removes the file. A branch that does not exist is made, without
// files.
func (m *Memory) Commit(branch string, changes map[string][]byte) string {
	files := map[string]File{}
	for path, content := range changes {
		if content == nil {
			files[path] = File{}
			continue
		}
		files[path] = File{Path: path, Mode: "100644", ID: m.keep(content), Size: len(content)}
	}
	return m.CommitFiles(branch, files)
}

// CommitFiles is Commit for files of any mode. A file without an id removes the path.
func (m *Memory) CommitFiles(branch string, changes map[string]File) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var parents []string
	files := map[string]File{}
	if tip, ok := m.branches[branch]; ok {
		parents, files = []string{tip}, maps.Clone(m.commits[tip].files)
	}
	for path, f := range changes {
		if f.ID == "" {
			delete(files, path)
			continue
		}
		f.Path = path
		files[path] = f
	}
	m.branches[branch] = m.add(commit{parents, files})
	return m.branches[branch]
}

// SetBranch makes a branch at a commit, or moves it there.
func (m *Memory) SetBranch(name, commit string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.branches[name] = commit
}

// keep keeps the content of a file and returns its id.
func (m *Memory) keep(content []byte) string {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
	id := hex.EncodeToString(sum[:])
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[id] = slices.Clone(content)
	return id
}

// add keeps a commit and returns its id. The caller holds the lock.
func (m *Memory) add(c commit) string {
	sum := sha1.Sum(fmt.Appendf(nil, "commit %d %v", len(m.commits), c.parents))
	id := hex.EncodeToString(sum[:])
	m.commits[id] = c
	return id
}

// Branch implements Content.
func (m *Memory) Branch(name string) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.branches[name]
	return id, ok
}

// DeleteBranch implements Content.
func (m *Memory) DeleteBranch(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.branches[name]
	delete(m.branches, name)
	return ok
}

// Files implements Content.
func (m *Memory) Files(commit string) ([]File, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.commits[commit]
	return slices.SortedFunc(maps.Values(c.files), func(a, b File) int { return cmp.Compare(a.Path, b.Path) }), ok
}

// Read implements Content.
func (m *Memory) Read(commit, path string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.commits[commit].files[path]
	if !ok {
		return nil, false
	}
	content, ok := m.blobs[f.ID]
	return slices.Clone(content), ok
}

// MergeBase implements Content.
func (m *Memory) MergeBase(a, b string) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.base(a, b)
}

func (m *Memory) base(a, b string) (string, bool) {
	reached := map[string]bool{}
	m.walk(a, func(id string) bool { reached[id] = true; return true })
	found := ""
	m.walk(b, func(id string) bool {
		if reached[id] {
			found = id
		}
		return found == ""
	})
	return found, found != ""
}

// walk visits a commit and its ancestors, the nearest first, until visit returns false.
func (m *Memory) walk(from string, visit func(string) bool) {
	seen := map[string]bool{from: true}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		c, ok := m.commits[queue[0]]
		if !ok || !visit(queue[0]) {
			return
		}
		for _, parent := range c.parents {
			if !seen[parent] {
				seen[parent] = true
				queue = append(queue, parent)
			}
		}
	}
}

// Mergeable implements Content.
func (m *Memory) Mergeable(into, head string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.merged(into, head)
	return ok
}

// merged returns the files after a merge. A file that both sides changed in different ways is
// a conflict.
func (m *Memory) merged(into, head string) (map[string]File, bool) {
	id, ok := m.base(into, head)
	if !ok {
		return nil, false
	}
	base, ours, theirs := m.commits[id].files, m.commits[into].files, m.commits[head].files
	files := maps.Clone(ours)
	paths := maps.Clone(base)
	maps.Copy(paths, theirs)
	for path := range paths {
		if base[path] == theirs[path] {
			continue
		}
		if ours[path] != base[path] && ours[path] != theirs[path] {
			return nil, false
		}
		files[path] = theirs[path]
		if _, kept := theirs[path]; !kept {
			delete(files, path)
		}
	}
	return files, true
}

// Merge implements Content. A rebase makes one commit, as a squash does.
func (m *Memory) Merge(branch, head, method, _ string) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	tip, ok := m.branches[branch]
	if !ok {
		return "", false
	}
	files, ok := m.merged(tip, head)
	if !ok {
		return "", false
	}
	parents := []string{tip}
	if method == "merge" {
		parents = append(parents, head)
	}
	m.branches[branch] = m.add(commit{parents, files})
	return m.branches[branch], true
}
