package process

import "syscall"

// dieWithParent makes the kernel kill the child when the stack dies, also by
// a signal that cannot be caught.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
