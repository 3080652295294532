package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// Branches returns the commits of the branches, by name.
func (r *Repository) Branches() (map[string]string, error) {
	out, err := r.git("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads")
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for line := range strings.Lines(out) {
		id, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		all[name] = id
	}
	return all, nil
}

// Head returns the commit of a branch, or ErrUnknown.
func (r *Repository) Head(branch string) (string, error) {
	id, err := r.git("rev-parse", "--verify", "--quiet", "refs/heads/"+branch+"^{commit}")
	if exit(err) == 1 {
		return "", fmt.Errorf("branch %s: %w", branch, ErrUnknown)
	}
	return id, err
}

// Files returns the files of a commit, in the order of their paths. The caller must not change
// the slice. It returns ErrUnknown for an unknown commit.
func (r *Repository) Files(commit string) ([]vcstest.File, error) {
	return r.trees.get(commit, func() ([]vcstest.File, error) {
		if err := r.has(commit); err != nil {
			return nil, err
		}
		out, err := r.git("ls-tree", "-r", "-z", "--long", "--full-tree", commit)
		if err != nil {
			return nil, err
		}
		var files []vcstest.File
		for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
			about, path, _ := strings.Cut(line, "\t")
			fields := strings.Fields(about) // mode, type, id, size
			if len(fields) != 4 {
				continue // a commit without files
			}
			size, _ := strconv.Atoi(fields[3]) // a submodule has none
			files = append(files, vcstest.File{Path: path, Mode: fields[0], ID: fields[2], Size: size})
		}
		return files, nil
	}, func(files []vcstest.File) int { return perEntry * (len(files) + 1) })
}

// Read returns the content of a file of a commit, or ErrUnknown. The caller must not change
// the slice.
func (r *Repository) Read(commit, path string) ([]byte, error) {
	files, err := r.Files(commit)
	if err != nil {
		return nil, err
	}
	i, ok := slices.BinarySearchFunc(files, path, func(f vcstest.File, path string) int { return strings.Compare(f.Path, path) })
	if !ok {
		return nil, fmt.Errorf("file %s: %w", path, ErrUnknown)
	}
	return r.blobs.get(files[i].ID, func() ([]byte, error) {
		var out bytes.Buffer
		cmd := command(r.Dir, nil, "cat-file", "blob", files[i].ID)
		cmd.Stdout = &out
		err := cmd.Run()
		return out.Bytes(), err
	}, func(text []byte) int { return len(text) + perEntry })
}

// MergeBase returns the best common ancestor of two commits. It is empty if they have none.
func (r *Repository) MergeBase(a, b string) (string, error) {
	return r.bases.get([2]string{a, b}, func() (string, error) {
		id, err := r.git("merge-base", a, b)
		if exit(err) == 1 {
			return "", nil
		}
		return id, err
	}, small)
}

// Commits returns the commits of head that base does not have, the oldest first.
func (r *Repository) Commits(base, head string) ([]string, error) {
	out, err := r.git("rev-list", "--reverse", "--topo-order", base+".."+head)
	return strings.Fields(out), err
}

// has returns ErrUnknown if there is no such commit.
func (r *Repository) has(commit string) error {
	if _, err := r.git("cat-file", "-e", commit+"^{commit}"); err != nil {
		return errors.Join(fmt.Errorf("commit %s: %w", commit, ErrUnknown), err)
	}
	return nil
}

// CheckOut makes a working copy of a commit in a folder that is new or empty, as a CI job
// has it. It borrows the objects of the repository.
func (r *Repository) CheckOut(folder, commit string) error {
	if _, err := r.git("clone", "--quiet", "--shared", "--no-checkout", "--template=", r.Dir, folder); err != nil {
		return err
	}
	_, err := r.git("-C", folder, "checkout", "--quiet", "--detach", commit)
	return err
}
