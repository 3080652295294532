//go:build unix && !linux

package process

import "syscall"

// dieWithParent does nothing: only Linux can end a child together with its parent. Elsewhere
// the stack ends its children itself, unless it is killed.
func dieWithParent(*syscall.SysProcAttr) {}
