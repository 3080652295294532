package process

import "syscall"

// dieWithParent makes the kernel kill the child when the stack dies, even if a signal that
// cannot be caught ends the stack.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
