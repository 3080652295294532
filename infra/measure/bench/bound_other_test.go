//go:build !linux

package bench_test

import "os/exec"

// bound does nothing: only Linux ties a process to its parent's life.
func bound(*exec.Cmd) {}
