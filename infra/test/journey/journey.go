//go:build unix

// Package journey starts the local stack and uses it as a client does: over HTTP, with keys
// that an operator made. Its tests check the product's promises from outside, with the
// binaries, the authorizer, the tables and the bucket that also run on AWS.
//
// Its invariants:
//   - A stack has ports and a state folder of its own, so any number of stacks can run side by side.
//   - A stack does not outlive the process that started it.
//   - Every response is checked against the API document.
//   - No credential that was sent over the network may be in what the stack printed.
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
	// URL is the address of the stack, without a trailing slash.
	URL string
	// State is the stack's folder. A stack that is started again on it has the same data.
	State string
	// APIKey is the first API key. The stack made it for the user admin.
	APIKey string

	printed  *os.File // the file of what it prints. The file has no name any more
	programs programs
	env      []string
	cmd      *exec.Cmd
	ended    chan struct{} // closed when the stack's main process has ended
	http     *http.Client
}

// Maximum times on a machine under load. The product does not promise them: they only end a
// test that would hang.
const (
	startLimit = 3 * time.Minute
	stopLimit  = 20 * time.Second
)

// Start starts a stack for one test and stops it when the test ends. The test fails if a
// process of the stack remains. env adds variables to the stack's environment: "NAME=value".
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

// Launch starts a stack on a state folder and returns when it serves. The caller must call
// Stop.
func Launch(state string, env ...string) (*Stack, error) {
	built, err := build()
	if err != nil {
		return nil, err
	}
	printed, err := os.CreateTemp("", "opsplane-journey-")
	if err != nil {
		return nil, err
	}
	// A file without a name disappears when the last process that has it open ends.
	if err := os.Remove(printed.Name()); err != nil {
		return nil, err
	}
	s := &Stack{State: state, printed: printed, programs: built, env: env, http: apiclient.NewHTTPClient(connections)}
	// Another process may take the port after we found it free and before the stack uses it.
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

// Restart starts the stack again after its main process has ended. The data are the same, the
// port is another one.
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
	// Servers of the user's own must not be used: a test could not kill them, and could not
	// know that their data are only its own.
	s.cmd.Env = append(os.Environ(), "PORT="+port, "STATE="+s.State, "DYNAMODB_URL=", "S3_URL=", "INSTANCES=", "THROTTLE=", "PARAMETERS=")
	s.cmd.Env = append(s.cmd.Env, s.env...)
	s.cmd.Stdout, s.cmd.Stderr = s.printed, s.printed
	// The stack is in a process group of its own: Ctrl-C in a terminal ends the tests, and the
	// tests end the stack.
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

// awaitReady waits for the address. The stack writes it when it serves.
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

// Printed returns the last 16 KB of what the stack has printed so far, without the lines that
// report success.
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

// output returns everything that the stack has printed so far. It does not move the position at
// which the stack's processes write.
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
