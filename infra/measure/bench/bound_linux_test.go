package bench_test

import (
	"os/exec"
	"syscall"
)

// bound makes the kernel kill a process when this process ends in any way.
func bound(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
