//go:build unix

// Package journey starts the local stack and uses it as a client does: over
// HTTP, with keys that an operator made. Its tests hold the product to what it
// promises from outside, through the binaries, authorizer, tables and bucket
// that AWS runs.
//
// Its invariants: a stack gets ports and a state folder of its own, so that
// any number run side by side; it does not outlive the process that started
// it; every answer is checked against the API document; and no credential
// that went over the wire may stand in what the stack printed.
package journey

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/apiclient"
)

// Stack is a running local stack.
type Stack struct {
	// URL is where it serves, without a trailing slash.
	URL string
	// State is its folder. A stack that is started again on it has the data.
	State string
	// APIKey is the first key, which the stack made for user admin.
	APIKey string

	printed  *os.File // what it prints; the file has no name any more
	programs programs
	env      []string
	cmd      *exec.Cmd
	ended    chan struct{} // closed when the stack's main process has ended
	http     *http.Client
}

// Limits of what a machine under load may take. They are no promise of the
// product: they only end a test that would hang.
const (
	startLimit = 3 * time.Minute
	stopLimit  = 20 * time.Second
)

// Start starts a stack for one test and ends it with the test, which fails if
// that leaves a process behind. env adds to its environment: "NAME=value".
func Start(t testing.TB, env ...string) *Stack {
	t.Helper()
	s, err := Launch(t.TempDir(), env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the stack printed:\n%s", s.Printed())
		}
	})
	return s
}

// Launch starts a stack on a state folder and returns when it serves. The
// caller must Stop it.
func Launch(state string, env ...string) (*Stack, error) {
	built, err := build()
	if err != nil {
		return nil, err
	}
	printed, err := os.CreateTemp("", "opsplane-journey-")
	if err != nil {
		return nil, err
	}
	// Without a name, the file ends with the last process that has it open.
	if err := os.Remove(printed.Name()); err != nil {
		return nil, err
	}
	s := &Stack{State: state, printed: printed, programs: built, env: env, http: apiclient.NewHTTPClient(connections)}
	// Another process may take the port between our finding and its using it.
	for range 3 {
		if err = s.Restart(); err == nil {
			return s, nil
		}
		if !strings.Contains(s.Printed(), "in use") {
			break
		}
	}
	return nil, err
}

// Restart starts the stack again, on the same data and another port, after its
// main process has ended.
func (s *Stack) Restart() error {
	port, err := freePort()
	if err != nil {
		return err
	}
	if err := os.Remove(s.urlPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	s.cmd = exec.Command(s.programs.stack)
	s.cmd.Dir = s.programs.root
	// Servers of somebody else's could not be killed, nor their data be trusted to be ours.
	s.cmd.Env = append(os.Environ(), "PORT="+port, "STATE="+s.State, "DYNAMODB_URL=", "S3_URL=", "INSTANCES=", "THROTTLE=", "PARAMETERS=")
	s.cmd.Env = append(s.cmd.Env, s.env...)
	s.cmd.Stdout, s.cmd.Stderr = s.printed, s.printed
	// A group of its own: Ctrl-C in a terminal ends the tests, and they end the stack.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := startBound(s.cmd); err != nil {
		return fmt.Errorf("start the local stack: %w", err)
	}
	s.ended = make(chan struct{})
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	if err := s.awaitReady(); err != nil {
		return errors.Join(fmt.Errorf("%w; it printed:\n%s", err, s.Printed()), s.Stop())
	}
	return nil
}

// awaitReady waits for the address that the stack writes once it serves.
func (s *Stack) awaitReady() error {
	deadline := time.Now().Add(startLimit)
	for time.Now().Before(deadline) {
		url, err := os.ReadFile(s.urlPath())
		if err == nil && len(url) > 0 {
			key, err := os.ReadFile(filepath.Join(s.State, "api-key"))
			s.URL, s.APIKey = strings.TrimSpace(string(url)), strings.TrimSpace(string(key))
			return err
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the local stack ended (%v) before it was ready", s.cmd.ProcessState)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("the local stack was not ready within %v", startLimit)
}

// Printed is what the stack has printed so far, the last 16 KB of it, without
// the lines that report success.
func (s *Stack) Printed() string {
	b, err := s.output()
	if err != nil {
		return err.Error()
	}
	var news []byte
	for line := range bytes.Lines(b) {
		if !bytes.Contains(line, []byte(`"level":"INFO"`)) {
			news = append(news, line...)
		}
	}
	const shown = 16 << 10
	return string(news[max(0, len(news)-shown):])
}

// output is all that the stack has printed so far. It does not move the place
// at which the stack's processes write on.
func (s *Stack) output() ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(s.printed, 0, math.MaxInt64))
}

func (s *Stack) urlPath() string { return filepath.Join(s.State, "url") }

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}
