//go:build unix && !linux

package process

import "syscall"

// dieWithParent does nothing: only Linux ties a child's life to its parent's.
// Elsewhere the stack ends its children itself whenever it can still act.
func dieWithParent(*syscall.SysProcAttr) {}
