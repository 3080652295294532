//go:build unix && !linux

package journey

import "os/exec"

// startBound starts cmd. Only Linux can end a child together with its parent.
func startBound(cmd *exec.Cmd) error { return cmd.Start() }
