//go:build unix && !linux

package journey

import "os/exec"

// startBound starts cmd. Only Linux can tie its life to that of this process.
func startBound(cmd *exec.Cmd) error { return cmd.Start() }
