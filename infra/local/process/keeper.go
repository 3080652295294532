//go:build unix

package process

import (
	"fmt"
	"os/exec"
	"sync"
	"time"
)

// Keeper keeps one child running: whenever the child ends, it starts the child again.
type Keeper struct {
	name    string
	command func() *exec.Cmd
	report  func(string)

	mu      sync.Mutex
	child   *Child
	stop    chan struct{}
	stopped chan struct{}
}

// Keep starts the command and keeps it running until Stop. command must return a new exec.Cmd
// at each call. report receives one line for each restart.
func Keep(name string, command func() *exec.Cmd, report func(string)) (*Keeper, error) {
	child, err := Start(command())
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	k := &Keeper{name: name, command: command, report: report, child: child, stop: make(chan struct{}), stopped: make(chan struct{})}
	go k.watch()
	return k, nil
}

// Child returns the running child. The child may be about to end.
func (k *Keeper) Child() *Child {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.child
}

// Stop ends the child and does not start it again. After the grace period it kills the child.
func (k *Keeper) Stop(grace time.Duration) {
	k.mu.Lock()
	select {
	case <-k.stop:
	default:
		close(k.stop)
	}
	child := k.child
	k.mu.Unlock()
	child.Stop(grace)
	<-k.stopped
}

const (
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second
	// wellAfter is how long a child must run to count as healthy. After that the next restart
	// is quick again.
	wellAfter = 10 * time.Second
)

func (k *Keeper) watch() {
	defer close(k.stopped)
	pause := firstPause
	for {
		started := time.Now()
		select {
		case <-k.stop:
			return
		case <-k.Child().Done():
		}
		if time.Since(started) > wellAfter {
			pause = firstPause
		}
		select {
		case <-k.stop:
			return
		case <-time.After(pause):
		}
		k.report(fmt.Sprintf("%s ended (%v): starting it again", k.name, k.Child().Err()))
		pause = min(2*pause, longestPause)
		if !k.restart() {
			return
		}
	}
}

func (k *Keeper) restart() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case <-k.stop:
		return false
	default:
	}
	child, err := Start(k.command())
	if err != nil {
		k.report(fmt.Sprintf("%s cannot be started again: %v", k.name, err))
		return true // the ended child is still in place, so the next round tries again
	}
	k.child = child
	return true
}
