//go:build unix

package journey

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Process is one process of a stack.
type Process struct {
	// PID is its id.
	PID int
	// Command is its command line.
	Command string

	parent  int
	started string // start time, which distinguishes it from a later process with the same id
}

// PID returns the id of the stack's main process.
func (s *Stack) PID() int { return s.cmd.Process.Pid }

// Processes lists the descendants of the stack's main process.
func (s *Stack) Processes() ([]Process, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	family := map[int]bool{s.PID(): true}
	var found []Process
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if family[p.parent] && !family[p.PID] {
				family[p.PID], grown = true, true
				found = append(found, p)
			}
		}
	}
	return found, nil
}

// Stop ends the stack as Ctrl-C does. It returns an error if the stack does not end in time, if
// a process of it remains, or if it printed a credential.
func (s *Stack) Stop() error {
	family, err := s.Processes()
	if err != nil {
		return err
	}
	return errors.Join(s.interrupt(), s.AwaitGone(family), s.checkPrinted())
}

func (s *Stack) interrupt() error {
	select {
	case <-s.ended:
		return nil
	default:
	}
	if err := syscall.Kill(s.PID(), syscall.SIGINT); err != nil {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(stopLimit):
	}
	return errors.Join(fmt.Errorf("the stack did not end within %v of an interrupt", stopLimit), s.Kill())
}

// Kill ends the stack's main process with a signal that it cannot catch, and
// waits for its end.
func (s *Stack) Kill() error {
	err := syscall.Kill(s.PID(), syscall.SIGKILL)
	<-s.ended
	return err
}

// AwaitGone waits until all the processes have ended. It kills those that remain, and its error
// names them.
func (s *Stack) AwaitGone(family []Process) error {
	var left []Process
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		all, err := processes()
		if err != nil {
			return err
		}
		left = slices.DeleteFunc(all, func(p Process) bool {
			same := func(q Process) bool { return p.PID == q.PID && p.started == q.started }
			return !slices.ContainsFunc(family, same) && !strings.Contains(p.Command, s.State)
		})
		if len(left) == 0 {
			return nil
		}
	}
	var errs []error
	for _, p := range left {
		errs = append(errs, fmt.Errorf("the stack left process %d behind: %s", p.PID, p.Command), syscall.Kill(p.PID, syscall.SIGKILL))
	}
	return errors.Join(errs...)
}

// credential matches text that looks like an API key or a token.
var credential = regexp.MustCompile(`opk_[0-9A-Za-z]{16,}|eyJ[0-9A-Za-z_-]{16,}`)

// checkPrinted searches what the stack printed for credentials. It accepts the first key,
// because the stack shows that key on purpose.
func (s *Stack) checkPrinted() error {
	printed, err := s.output()
	if err != nil {
		return err
	}
	for _, at := range credential.FindAllIndex(printed, -1) {
		if string(printed[at[0]:at[1]]) != s.APIKey {
			return fmt.Errorf("the stack printed a credential: …%q", printed[max(0, at[0]-100):at[0]+16])
		}
	}
	return nil
}
