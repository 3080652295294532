//go:build unix

package journey

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// shared is the one stack that all tests use, except tests that break it. It starts with the
// first test that needs it.
var shared = sync.OnceValues(func() (*Stack, error) {
	state, err := os.MkdirTemp("", "journey-")
	if err != nil {
		return nil, err
	}
	return Launch(state)
})

// started reports whether shared was requested.
var started atomic.Bool

// theStack returns the shared stack.
func theStack(t testing.TB) *Stack {
	t.Helper()
	started.Store(true)
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMain(m *testing.M) {
	code := m.Run()
	if started.Load() {
		code = max(code, end(code))
	}
	os.Exit(code)
}

// end stops the shared stack and returns the exit code. The code also covers the errors of the
// stop.
func end(code int) int {
	s, err := shared()
	if err != nil {
		return 1
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "the stack printed:\n%s\n", s.Printed())
	}
	if err := s.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the stack:", err)
		code = 1
	}
	_ = os.RemoveAll(s.State)
	return code
}
