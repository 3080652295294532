//go:build unix && !linux

package servers

import (
	"context"
	"errors"
	"net"
	"os/exec"
)

// confined returns the command of the Java server. There are no network namespaces on this
// system, so the server listens on every interface. The machine's firewall must block access
// from outside.
func confined(java string, args []string, dir, addr string) *exec.Cmd {
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(java, append(args, "-port", port)...)
	cmd.Dir = dir
	return cmd
}

var errLinuxOnly = errors.New("network namespaces are Linux's")

func relay(context.Context, string, []string) error { return errLinuxOnly }
func inside(context.Context, []string) error        { return errLinuxOnly }
