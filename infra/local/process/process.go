//go:build unix

// Package process runs the children of the local stack. Its one promise: no
// child outlives the stack, not when it hangs, not when it has children of its
// own, and on Linux not when the stack itself is killed.
package process

import (
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Child is a running process and the process group that it leads.
type Child struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts cmd in a process group of its own. The caller must Stop it or
// wait for Done.
func Start(cmd *exec.Cmd) (*Child, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr)
	// A grandchild that keeps the output open must not keep Wait from returning.
	cmd.WaitDelay = time.Second
	if err := spawn(cmd); err != nil {
		return nil, err
	}
	c := &Child{cmd: cmd, done: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		// Whatever the child started goes with it.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		close(c.done)
	}()
	return c, nil
}

// PID returns the process id of the child.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Done is closed when the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Err says how the child ended: nil for exit status 0. It waits for the end.
func (c *Child) Err() error {
	<-c.done
	if errors.Is(c.err, exec.ErrWaitDelay) {
		return nil
	}
	return c.err
}

// Stop asks the child's whole group to end, and kills what is left of it after
// the grace period. It returns when the child has ended.
func (c *Child) Stop(grace time.Duration) {
	c.signal(syscall.SIGTERM)
	select {
	case <-c.done:
		return
	case <-time.After(grace):
	}
	c.Kill()
}

// Kill ends the child's whole group at once.
func (c *Child) Kill() {
	c.signal(syscall.SIGKILL)
	<-c.done
}

// signal reaches the group; after the leader's end its id may belong to others.
func (c *Child) signal(s syscall.Signal) {
	select {
	case <-c.done:
	default:
		_ = syscall.Kill(-c.cmd.Process.Pid, s)
	}
}

type request struct {
	cmd *exec.Cmd
	err chan error
}

// spawner returns the queue of the one thread that starts every child. Linux
// ties "die with the parent" to the thread that forked, so that thread must
// live as long as the process.
var spawner = sync.OnceValue(func() chan<- request {
	queue := make(chan request)
	go func() {
		runtime.LockOSThread()
		for r := range queue {
			r.err <- r.cmd.Start()
		}
	}()
	return queue
})

func spawn(cmd *exec.Cmd) error {
	r := request{cmd: cmd, err: make(chan error, 1)}
	spawner() <- r
	return <-r.err
}
