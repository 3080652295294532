//go:build unix

package process

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func shell(script string) *exec.Cmd { return exec.Command("sh", "-c", script) }

// gone waits until no process of a group exists.
func gone(t *testing.T, group int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		out, err := exec.Command("ps", "-A", "-o", "pgid=,stat=").Output()
		if err != nil {
			t.Fatal(err)
		}
		alive := false
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line)
			if len(f) == 2 && f[0] == strconv.Itoa(group) && !strings.HasPrefix(f[1], "Z") {
				alive = true
			}
		}
		if !alive {
			return
		}
	}
	t.Errorf("processes of group %d are left", group)
}

// says is a writer that signals when something was written.
type says chan struct{}

func (s says) Write(p []byte) (int, error) {
	select {
	case s <- struct{}{}:
	default:
	}
	return len(p), nil
}

func TestStopEndsWhatDoesNotListen(t *testing.T) {
	t.Parallel()
	ready := make(says, 1)
	cmd := shell("trap '' TERM; sh -c 'trap \"\" TERM; echo; while :; do sleep 1; done'")
	cmd.Stdout = ready
	c, err := Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	<-ready
	begun := time.Now()
	c.Stop(50 * time.Millisecond)
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("Stop took %s", took)
	}
	gone(t, c.PID())
}

func TestGrandchildrenEndWithTheChild(t *testing.T) {
	t.Parallel()
	cmd := shell("sleep 60 & exit 3")
	cmd.Stdout = io.Discard // a pipe that the grandchild holds open
	c, err := Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := c.Err(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("got %v, want exit status 3", err)
	}
	gone(t, c.PID())
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := Run(ctx, shell("sleep 60")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := Run(t.Context(), shell("exit 0")); err != nil {
		t.Errorf("got %v", err)
	}
	if err := Run(t.Context(), exec.Command("/no/such/program")); err == nil {
		t.Error("a program that does not exist ran")
	}
}

func TestKeeperStartsItsChildAgainUntilStopped(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var reports []string
	k, err := Keep("sleeper", func() *exec.Cmd { return shell("sleep 60") }, func(line string) {
		mu.Lock()
		defer mu.Unlock()
		reports = append(reports, line)
	})
	if err != nil {
		t.Fatal(err)
	}
	first := k.Child()
	if err := syscall.Kill(first.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); k.Child() == first; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the child was not started again")
		}
	}
	second := k.Child()
	k.Stop(time.Second)
	select {
	case <-second.Done():
	default:
		t.Error("the child runs on after Stop")
	}
	time.Sleep(2 * firstPause)
	if k.Child() != second {
		t.Error("the child was started again after Stop")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(reports) != 1 || reports[0] != "sleeper ended (signal: killed): starting it again" {
		t.Errorf("reports: got %q", reports)
	}
}
