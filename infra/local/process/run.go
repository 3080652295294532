//go:build unix

package process

import (
	"context"
	"os/exec"
)

// Run starts cmd and waits for its end. If ctx ends first, Run kills the command and everything
// that the command started.
func Run(ctx context.Context, cmd *exec.Cmd) error {
	child, err := Start(cmd)
	if err != nil {
		return err
	}
	select {
	case <-child.Done():
		return child.Err()
	case <-ctx.Done():
		child.Kill()
		return ctx.Err()
	}
}
