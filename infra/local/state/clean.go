//go:build unix

package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Clean removes what a stack made in a folder, and also the folder if nothing else is in it. It
// returns the paths, relative to the folder, of what it left because no stack made it. It
// returns an error, and removes nothing, if the folder does not belong to a stack, or if a
// stack uses it. If the folder does not exist, Clean does nothing.
func Clean(dir string) (left []string, err error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notAStacks(dir)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }()
	if strangers, err := strangers(dir); err != nil {
		return nil, err
	} else if len(strangers) > 0 {
		return nil, notAStacks(dir)
	}
	if take(lock) != nil {
		return nil, fmt.Errorf("a stack runs on %s: stop it first", dir)
	}
	for _, path := range made() {
		if err := os.RemoveAll(filepath.Join(dir, path)); err != nil {
			return nil, err
		}
	}
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			if err := os.RemoveAll(path); err != nil {
				return nil, err
			}
		}
	}
	for _, path := range folders(dir) {
		_ = syscall.Rmdir(path) // fails for a file, and for a folder that contains something of the user's
	}
	if left, err = remains(dir); err != nil {
		return nil, err
	}
	// The lock file carries the mark, so it is removed last. So an interrupted clean can be
	// repeated.
	if len(left) > 0 {
		return left, nil
	}
	for _, path := range []string{lockFile, ""} {
		if err := os.Remove(filepath.Join(dir, path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, nil
}

// folders lists the folders that a stack makes below its own folder, the innermost first. Each
// is removed when it is empty.
func folders(dir string) []string {
	paths, _ := filepath.Glob(filepath.Join(dir, Functions, "*")) // fails only for malformed patterns
	for _, name := range []string{Data, Functions, Streams, Secrets} {
		paths = append(paths, filepath.Join(dir, name))
	}
	return paths
}

func notAStacks(dir string) error {
	return fmt.Errorf("%s is not the folder of a local stack: nothing was removed; remove it yourself if you want to", dir)
}

// remains lists what is left in a folder apart from the lock: files, and folders that hold
// nothing of a stack.
func remains(dir string) ([]string, error) {
	var left []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(dir, path)
		switch {
		case err != nil || relErr != nil:
			return errors.Join(err, relErr)
		case name == "." || name == lockFile:
			return nil
		case !d.IsDir():
			left = append(left, name)
			return nil
		}
		if ours := slices.Contains([]string{Data, Functions, Streams, Secrets}, name) || filepath.Dir(name) == Functions; ours {
			return nil
		}
		left = append(left, name)
		return fs.SkipDir
	})
	return left, err
}
