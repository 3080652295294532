package bench_test

import (
	"os/exec"
	"syscall"
)

// bound lets the kernel kill a process when this one dies, however it dies.
func bound(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
