//go:build unix

package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// inUse is the file of the folder of tools that every running stack has locked.
const inUse = "in-use"

// UseTools marks a folder of programs and servers as in use, beside other stacks,
// until the file that it returns is closed.
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

// CheckTools returns an error if a running stack uses a folder of tools.
func CheckTools(dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, inUse), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if take(file) != nil {
		return fmt.Errorf("a stack runs from %s: stop it first", dir)
	}
	return nil
}
