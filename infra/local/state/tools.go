//go:build unix

package state

import (
	"fmt"
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

// HoldTools keeps stacks from using a folder of tools, until the file that it
// returns is closed. It returns an error if a running stack uses the folder, and
// makes the folder if there is none.
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
