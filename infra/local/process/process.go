//go:build unix

// Package process runs the children of the local stack. Its invariant: no child outlives the
// stack. This also holds for a child that hangs, and for a child that has children itself. On
// Linux it also holds if the stack is killed.
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

// Start starts cmd in a process group of its own. The caller must call Stop, or wait for Done.
func Start(cmd *exec.Cmd) (*Child, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr)
	// If a grandchild keeps the output open, Wait must return all the same.
	cmd.WaitDelay = time.Second
	if err := spawn(cmd); err != nil {
		return nil, err
	}
	c := &Child{cmd: cmd, done: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		// Everything that the child started ends with it.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		close(c.done)
	}()
	return c, nil
}

// PID returns the process id of the child.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Done is closed when the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Err waits for the end of the child and returns how it ended: nil for exit status 0.
func (c *Child) Err() error {
	<-c.done
	if errors.Is(c.err, exec.ErrWaitDelay) {
		return nil
	}
	return c.err
}

// Stop asks all processes of the child's group to end. After the grace period it kills those
// that remain. It returns when the child has ended.
func (c *Child) Stop(grace time.Duration) {
	c.signal(syscall.SIGTERM)
	select {
	case <-c.done:
		return
	case <-time.After(grace):
	}
	c.Kill()
}

// Kill ends all processes of the child's group at once.
func (c *Child) Kill() {
	c.signal(syscall.SIGKILL)
	<-c.done
}

// signal sends s to the group. It sends nothing after the leader's end, because other processes
// may then have the group's id.
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

// spawner returns the queue of the one thread that starts every child. On Linux a child dies
// when the thread that forked it ends. So that thread must live as long as the process.
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
