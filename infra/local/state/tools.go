//go:build unix

package state

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// inUse is a file in the folder of tools. Every running stack holds a lock on it.
const inUse = "in-use"

// UseTools marks a folder of programs and servers as in use, until the returned file is closed.
// Several stacks may use the folder at the same time.
func UseTools(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, inUse), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%s is being removed: try again", dir)
	}
	return file, nil
}

// HoldTools keeps stacks from using a folder of tools, until the returned file is closed. It
// makes the folder if it does not exist. It returns an error if a running stack uses the
// folder.
func HoldTools(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, inUse), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if take(file) != nil {
		_ = file.Close()
		return nil, fmt.Errorf("a stack runs from %s: stop it first", dir)
	}
	return file, nil
}
