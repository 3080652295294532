// Package source reads from a host what an evaluation follows from: the files and the
// configuration of a repository at a commit, what a change touches, and what people said
// about a pull request. Its invariants:
//
//   - What cannot change is asked for once: it is kept as an object of RunsBucket, named by
//     the commit. An object that is missing or damaged is read from the host again.
//   - People are asked about only as far as the rules of the directories at hand need it.
//   - What is wrong with a repository is data (repoconfig.Mistakes). An error says that the
//     host or the storage did not answer.
package source

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/evaluation/object"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Contents reads the contents of a repository from its host. evaluator.Reader documents
// the methods.
type Contents interface {
	File(ctx context.Context, r vcs.Description, path, commit string) ([]byte, error)
	Tree(ctx context.Context, r vcs.Description, commit string) ([]vcshost.File, error)
	Changes(ctx context.Context, r vcs.Description, base, head string) ([]vcshost.FileChange, error)
}

// Source keeps what was read of repositories in RunsBucket, below lane.Folder. The
// lifecycle of the bucket removes it, and so does a removal of the lane.
type Source struct {
	Objects object.Bucket
	// ReadOnly uses what is kept, and keeps nothing more.
	ReadOnly bool
}

// Place names a repository, for this server and for its host.
type Place struct {
	Repository vcs.Repository
	Described  vcs.Description
}

// Snapshot is the state of a repository at a commit.
type Snapshot struct {
	// Files are the paths of all files, in byte order.
	Files []string
	// Config is the configuration file. It is zero if there is none.
	Config repoconfig.File
	// Mistakes say what is too large to be read. If there are any, the rest is
	// incomplete.
	Mistakes repoconfig.Mistakes
}

// At returns the state of a repository at a commit. It returns vcshost.ErrGone if the host
// has no such commit (any more).
func (s Source) At(ctx context.Context, host Contents, p Place, commit string) (Snapshot, error) {
	name := named(p.Repository, "tree", commit)
	if kept, ok, err := s.get(ctx, name); err != nil || ok {
		return Snapshot{kept.Paths, kept.Config, kept.Mistakes}, err
	}
	made, err := readTree(ctx, host, p.Described, commit)
	if err != nil {
		return Snapshot{}, err
	}
	return made, s.put(ctx, name, kept{made.Config, made.Mistakes, made.Files})
}

// maxPathBytes bounds the paths of a repository or of a change together, in bytes. 200,000
// files with paths of 160 bytes have as many.
const maxPathBytes = 32 << 20

func readTree(ctx context.Context, host Contents, r vcs.Description, commit string) (Snapshot, error) {
	files, err := host.Tree(ctx, r, commit)
	if errors.Is(err, vcshost.ErrTooLarge) {
		return Snapshot{Mistakes: tooManyFiles()}, nil
	}
	if err != nil {
		return Snapshot{}, fmt.Errorf("read files at %s: %w", commit, err)
	}
	var made Snapshot
	size := 0
	for _, f := range files {
		made.Files, size = append(made.Files, f.Path), size+len(f.Path)
	}
	if size > maxPathBytes {
		return Snapshot{Mistakes: tooManyFiles()}, nil
	}
	slices.Sort(made.Files)
	for _, path := range []string{repoconfig.Path, repoconfig.AlternativePath} {
		if _, there := slices.BinarySearch(made.Files, path); !there {
			continue
		}
		made.Config, made.Mistakes, err = readConfig(ctx, host, r, path, commit)
		if errors.Is(err, vcshost.ErrGone) {
			continue // such as a link to another repository
		}
		return made, err
	}
	return made, nil
}

// readConfig reads one file. It returns vcshost.ErrGone if there is none.
func readConfig(ctx context.Context, host Contents, r vcs.Description, path, commit string) (repoconfig.File, repoconfig.Mistakes, error) {
	text, err := host.File(ctx, r, path, commit)
	if errors.Is(err, vcshost.ErrTooLarge) {
		return repoconfig.File{}, repoconfig.Mistakes{{
			At: repoconfig.Position{File: path}, Problem: fmt.Sprintf("the file has more than %d bytes; make it smaller", vcshost.MaxFileBytes),
		}}, nil
	}
	if err != nil {
		return repoconfig.File{}, nil, fmt.Errorf("read %s at %s: %w", path, commit, err)
	}
	return repoconfig.File{Name: path, Text: text}, nil, nil
}

// ConfigAt returns the configuration file of a commit, without its files. The name of the
// file names the branch too.
func (s Source) ConfigAt(ctx context.Context, host Contents, p Place, b vcshost.Branch) (repoconfig.File, repoconfig.Mistakes, error) {
	name := named(p.Repository, "config", b.SHA)
	found, ok, err := s.get(ctx, name)
	if err != nil {
		return repoconfig.File{}, nil, err
	}
	if !ok {
		for _, path := range []string{repoconfig.Path, repoconfig.AlternativePath} {
			found.Config, found.Mistakes, err = readConfig(ctx, host, p.Described, path, b.SHA)
			if !errors.Is(err, vcshost.ErrGone) {
				break
			}
			err = nil
		}
		if err == nil {
			err = s.put(ctx, name, found)
		}
		if err != nil {
			return repoconfig.File{}, nil, err
		}
	}
	if found.Config.Name != "" {
		found.Config.Name += " (" + b.Name + ")"
	}
	return found.Config, found.Mistakes, nil
}

// Changed returns the paths that differ between the merge base of two commits and head, in
// byte order. A file that moved has both of its paths.
func (s Source) Changed(ctx context.Context, host Contents, p Place, base, head string) ([]string, repoconfig.Mistakes, error) {
	name := named(p.Repository, "changes", base+"..."+head)
	if kept, ok, err := s.get(ctx, name); err != nil || ok {
		return kept.Paths, kept.Mistakes, err
	}
	var made kept
	changes, err := host.Changes(ctx, p.Described, base, head)
	if errors.Is(err, vcshost.ErrTooLarge) {
		made.Mistakes = tooManyFiles()
	} else if err != nil {
		return nil, nil, fmt.Errorf("read changes from %s to %s: %w", base, head, err)
	}
	size := 0
	for _, c := range changes {
		made.Paths, size = append(made.Paths, c.Path), size+len(c.Path)+len(c.Previous)
		if c.Previous != "" {
			made.Paths = append(made.Paths, c.Previous)
		}
	}
	if size > maxPathBytes {
		made = kept{Mistakes: tooManyFiles()}
	}
	slices.Sort(made.Paths)
	made.Paths = slices.Compact(made.Paths)
	return made.Paths, made.Mistakes, s.put(ctx, name, made)
}

// tooManyFiles says that a repository has more files than this server reads.
func tooManyFiles() repoconfig.Mistakes {
	return repoconfig.Mistakes{{
		At:      repoconfig.Position{File: "the repository"},
		Problem: fmt.Sprintf("it has more than %d files, or their paths have more than %d MiB; keep the infrastructure in a repository of its own", vcshost.MaxFiles, maxPathBytes>>20),
	}}
}
