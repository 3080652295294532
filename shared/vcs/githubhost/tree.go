package githubhost

import (
	"context"
	"fmt"
	"net/url"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Limits of reading a tree whose response GitHub truncates. It does so beyond
// 100,000 entries or 7 MB ("Get a tree", GitHub documentation).
const (
	// maxTreeReads is the maximum number of requests for one tree.
	maxTreeReads = 1_000
	// treeReads is the maximum number of requests for one tree at a time.
	treeReads = 4
)

// Tree returns all files of a repository at a commit, symbolic links included,
// submodules not. Where GitHub truncates its response, Tree reads the directories one
// by one. It returns vcshost.ErrTooLarge beyond vcshost.MaxFiles, or if that takes more
// than 1,000 requests, and vcshost.ErrGone if there is no such commit.
func (i *Installation) Tree(ctx context.Context, r vcs.Description, commit string) ([]vcshost.File, error) {
	entries, err := i.tree(ctx, r, commit)
	if err != nil {
		return nil, err
	}
	files := make([]vcshost.File, 0, len(entries))
	for _, e := range entries {
		if e.Type == blob {
			files = append(files, vcshost.File{Path: e.Path, ID: e.ID})
		}
	}
	return files, nil
}

// entry is an entry of a tree.
type entry struct {
	Path string `json:"path"`
	Mode string `json:"mode"`
	Type string `json:"type"`
	ID   string `json:"sha"`
}

// Types of entries. The third is a submodule.
const (
	blob      = "blob"
	directory = "tree"
)

// tree returns the files and submodules of a repository at a commit.
func (i *Installation) tree(ctx context.Context, r vcs.Description, commit string) ([]entry, error) {
	w := &treeWalk{installation: i, repository: r, slots: make(chan struct{}, treeReads)}
	return w.all(ctx, commit, "")
}

// treeWalk reads a tree.
type treeWalk struct {
	installation *Installation
	repository   vcs.Description
	slots        chan struct{} // one for each request under way
	reads, files atomic.Int64
}

// all returns the files and submodules of a tree, with a prefix before their paths. It
// asks for the whole tree first. If the response is truncated, it asks for the
// directories in it.
func (w *treeWalk) all(ctx context.Context, id, prefix string) ([]entry, error) {
	list, truncated, err := w.read(ctx, id, "?recursive=1")
	if err != nil {
		return nil, err
	}
	if !truncated {
		return w.take(list, prefix)
	}
	if list, truncated, err = w.read(ctx, id, ""); err != nil {
		return nil, err
	}
	var below []entry
	for _, e := range list {
		if e.Type == directory {
			below = append(below, e)
		}
	}
	if truncated || w.reads.Load()+int64(len(below)) > maxTreeReads {
		return nil, tooLarge()
	}
	found, err := w.take(list, prefix)
	if err != nil {
		return nil, err
	}
	parts := make([][]entry, len(below))
	group, ctx := errgroup.WithContext(ctx)
	for n, e := range below {
		group.Go(func() (err error) {
			parts[n], err = w.all(ctx, e.ID, prefix+e.Path+"/")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, part := range parts {
		found = append(found, part...)
	}
	return found, nil
}

// take returns the files and submodules of a list, with a prefix before their paths.
func (w *treeWalk) take(list []entry, prefix string) ([]entry, error) {
	found := make([]entry, 0, len(list))
	for _, e := range list {
		if e.Type != directory {
			e.Path = prefix + e.Path
			found = append(found, e)
		}
	}
	if w.files.Add(int64(len(found))) > vcshost.MaxFiles {
		return nil, tooLarge()
	}
	return found, nil
}

// read sends one request.
func (w *treeWalk) read(ctx context.Context, id, query string) (list []entry, truncated bool, err error) {
	const doing = "read tree"
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	case <-ctx.Done():
		return nil, false, explain(doing, ctx.Err())
	}
	if w.reads.Add(1) > maxTreeReads {
		return nil, false, tooLarge()
	}
	var body struct {
		Tree      []entry `json:"tree"`
		Truncated bool    `json:"truncated"`
	}
	r := w.repository
	if _, err := get(ctx, w.installation.client, doing, fmt.Sprintf("repos/%s/%s/git/trees/%s%s", r.Owner, r.Name, url.PathEscape(id), query), &body); err != nil {
		return nil, false, err
	}
	if body.Tree == nil {
		return nil, false, fmt.Errorf("github: %s: the answer has no list", doing)
	}
	for _, e := range body.Tree {
		if e.Path == "" || e.ID == "" || e.Type == "" {
			return nil, false, fmt.Errorf("github: %s: an entry does not have its path, type and id", doing)
		}
	}
	return body.Tree, body.Truncated, nil
}

func tooLarge() error { return fmt.Errorf("github: read tree: %w", vcshost.ErrTooLarge) }
