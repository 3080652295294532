//go:build unix

package runtimeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "runtimeapi-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "bootstrap")
	if out, err := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", binary, "./testfunction").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the function: %v: %s", err, out)
		return 1
	}
	return m.Run()
}

type logBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *logBuffer) Close() error { return nil }

func (b *logBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func newFunction(t *testing.T, max int, change func(*Spec)) (*Function, *logBuffer) {
	t.Helper()
	var logged logBuffer
	spec := Spec{Name: "Test", Binary: binary, Timeout: 5 * time.Second, MemoryMB: 128, Log: func() io.WriteCloser { return &logged }, Env: map[string]string{"GREETING": "hello"}}
	if change != nil {
		change(&spec)
	}
	f := NewFunction(spec, max)
	t.Cleanup(func() { f.Close(0) })
	return f, &logged
}

func invoke(t *testing.T, f *Function, event string) map[string]any {
	t.Helper()
	out, err := f.Invoke(t.Context(), []byte(event))
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestInvocationCarriesWhatLambdaGives(t *testing.T) {
	t.Setenv("HOME", "/not/for/functions")
	f, _ := newFunction(t, 1, nil)
	got := invoke(t, f, `{}`)
	if got["greeting"] != "hello" || got["home"] != "" {
		t.Errorf("environment: got greeting %q, home %q", got["greeting"], got["home"])
	}
	if left := got["left_ms"].(float64); left < 4000 || left > 5000 {
		t.Errorf("deadline: got %v ms left, want just under 5000", left)
	}
	if got["arn"] != "arn:aws:lambda:us-east-1:000000000000:function:Test" || len(got["id"].(string)) != 36 {
		t.Errorf("context: got arn %v, id %v", got["arn"], got["id"])
	}
}

func TestInstanceIsKeptAndTakesOneEventAtATime(t *testing.T) {
	t.Parallel()
	f, _ := newFunction(t, 10, nil)
	first, second := invoke(t, f, `{}`), invoke(t, f, `{}`)
	if first["pid"] != second["pid"] {
		t.Errorf("process: got %v, then %v, want one", first["pid"], second["pid"])
	}
	var wg sync.WaitGroup
	pids := make(chan any, 3)
	for range 3 {
		wg.Go(func() { pids <- invoke(t, f, `{"Sleep": 300000000}`)["pid"] })
	}
	wg.Wait()
	seen := map[any]bool{<-pids: true, <-pids: true, <-pids: true}
	if len(seen) != 3 {
		t.Errorf("processes of three events at once: got %d, want 3", len(seen))
	}
}

func TestBeyondTheLimitIsThrottled(t *testing.T) {
	t.Parallel()
	f, _ := newFunction(t, 1, nil)
	started := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		close(started)
		_, _ = f.Invoke(context.Background(), []byte(`{"Sleep": 500000000}`))
		close(finished)
	}()
	<-started
	time.Sleep(100 * time.Millisecond)
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, ErrThrottled) {
		t.Errorf("error: got %v, want ErrThrottled", err)
	}
	<-finished
	invoke(t, f, `{}`)
}

func TestFailuresAreTheFunctionsAndItGoesOn(t *testing.T) {
	t.Parallel()
	f, logged := newFunction(t, 2, func(s *Spec) { s.Timeout = 700 * time.Millisecond })
	for _, c := range []struct{ event, kind string }{
		{`{"Do": "error"}`, "errorString"},
		{`{"Do": "panic"}`, "string"},
		{`{"Do": "exit"}`, ExitError},
		{`{"Sleep": 60000000000}`, TimedOut},
		{`{"Do": "bytes", "Bytes": 6500000}`, ResponseSizeTooLarge},
	} {
		_, err := f.Invoke(t.Context(), []byte(c.event))
		var failed *FunctionError
		if !errors.As(err, &failed) || failed.Type != c.kind {
			t.Errorf("%s: got %v, want a %s", c.event, err, c.kind)
		}
		invoke(t, f, `{}`)
	}
	if !strings.Contains(logged.text(), "at the disco") {
		t.Errorf("the log has no trace of the panic: %s", logged.text())
	}
	if _, err := f.Invoke(t.Context(), make([]byte, MaxPayload+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("event of more than 6 MB: got %v", err)
	}
}

func TestKilledIdleInstanceIsReplacedUnseen(t *testing.T) {
	t.Parallel()
	f, _ := newFunction(t, 1, nil)
	for range 5 {
		pid := int(invoke(t, f, `{}`)["pid"].(float64))
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for slices.Contains(f.PIDs(), pid) {
			time.Sleep(time.Millisecond)
		}
		invoke(t, f, `{}`)
	}
}

func TestInitFailureIsReportedWithItsLog(t *testing.T) {
	t.Parallel()
	f, logged := newFunction(t, 1, func(s *Spec) { s.Env = map[string]string{"FAIL_INIT": "1"} })
	_, err := f.Invoke(t.Context(), []byte(`{}`))
	var failed *FunctionError
	if !errors.As(err, &failed) || failed.Type != ExitError || !strings.Contains(failed.Message, "exit status 3") {
		t.Errorf("error: got %v, want the exit status", err)
	}
	if !strings.Contains(logged.text(), "no start today") {
		t.Errorf("log: got %q", logged.text())
	}
}

func TestReplaceLetsEventsFinishWhereTheyAre(t *testing.T) {
	t.Parallel()
	f, _ := newFunction(t, 4, nil)
	before := invoke(t, f, `{}`)["pid"]
	slow := make(chan any)
	go func() { slow <- invoke(t, f, `{"Sleep": 400000000}`)["pid"] }()
	time.Sleep(50 * time.Millisecond)
	if err := f.Replace(t.Context(), binary); err != nil {
		t.Fatal(err)
	}
	if after := invoke(t, f, `{}`)["pid"]; after == before {
		t.Errorf("process after Replace: still %v", after)
	}
	if got := <-slow; got != before {
		t.Errorf("the slow event ended in process %v, want %v", got, before)
	}
	broken := filepath.Join(t.TempDir(), "bootstrap")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := f.Replace(t.Context(), broken); err == nil {
		t.Error("a binary that ends at once replaced one that works")
	}
	invoke(t, f, `{}`)
}

func TestCloseLeavesNoProcessEvenIfItHangs(t *testing.T) {
	t.Parallel()
	f, _ := newFunction(t, 4, nil)
	answer := invoke(t, f, `{"Do": "fork"}`)
	pids := []int{int(answer["pid"].(float64)), int(answer["child"].(float64))}
	go func() { _, _ = f.Invoke(context.Background(), []byte(`{"Sleep": 60000000000}`)) }()
	time.Sleep(50 * time.Millisecond)
	start := time.Now()
	f.Close(100 * time.Millisecond)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("Close took %s", took)
	}
	for _, pid := range pids {
		for end := time.Now().Add(time.Minute); alive(pid); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("process %d is still alive", pid)
			}
		}
	}
	if _, err := f.Invoke(t.Context(), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: got %v", err)
	}
}

// alive reports whether a process runs. A zombie counts as dead: it has ended, and only its
// parent has not read its status.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !os.IsNotExist(err)
	}
	return !strings.Contains(string(stat), ") Z ")
}
