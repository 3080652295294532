//go:build unix

package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Clean removes what a stack made in a folder, and the folder if nothing else is
// in it. It returns the paths, below the folder, of what it left because no
// stack made it. It returns an error, and removes nothing, if the folder is not
// a stack's, or if a stack runs on it. A folder that does not exist is clean.
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
	if left, err = remains(dir); err != nil {
		return nil, err
	}
	// The lock carries the mark, so it goes last: a clean that was interrupted can be repeated.
	if len(left) > 0 {
		return left, nil
	}
	for _, path := range []string{Data, Secrets, lockFile, ""} {
		if err := os.Remove(filepath.Join(dir, path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, nil
}

func notAStacks(dir string) error {
	return fmt.Errorf("%s is not the folder of a local stack: nothing was removed; remove it yourself if you want to", dir)
}

// remains lists the files below a folder, and folders that no stack made,
// without what Clean removes last.
func remains(dir string) ([]string, error) {
	var left []string
	for _, folder := range []string{"", Data, Secrets} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			if path != Data && path != Secrets && path != lockFile {
				left = append(left, path)
			}
		}
	}
	return left, nil
}
