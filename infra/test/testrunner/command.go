package testrunner

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// killAfter is how long a program may take to end after it was asked to.
const killAfter = 5 * time.Second

// program runs a program and returns what it printed: on the first stream, and on both. An
// end of ctx interrupts it.
func program(ctx context.Context, dir string, env []string, name string, args ...string) (out, both string, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, env, killAfter
	var first bytes.Buffer
	var all together
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&first, &all), &all
	err = cmd.Run()
	return first.String(), all.text.String(), err
}

// together collects what a program writes to two streams at the same time.
type together struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (t *together) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

var errNoCommand = errors.New("the step has no command")

// command does a step of the type run.
func (s *session) command(ctx context.Context, at place, st step) (map[string]any, error) {
	if len(st.Cmd) == 0 {
		return map[string]any{}, errNoCommand
	}
	_, text, err := program(ctx, at.dir, at.env, st.Cmd[0], st.Cmd[1:]...)
	payload := map[string]any{"cmd": st.Cmd, "exit_code": code(err), "visible_on": visible(st, err)}
	if st.Capture == nil || *st.Capture || err != nil {
		payload["text"] = text
	}
	return payload, err
}

// code returns the exit code of a program. It is -1 for one that did not run.
func code(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

func visible(st step, err error) string {
	switch {
	case st.VisibleOn != "":
		return st.VisibleOn
	case err != nil:
		return "failure"
	}
	return "always"
}

// setEnv does a step of the type env with the method exec: what the command prints becomes
// the value of a variable for later steps.
func (s *session) setEnv(ctx context.Context, at place, st step) (map[string]any, error) {
	if len(st.Cmd) == 0 {
		return map[string]any{}, errNoCommand
	}
	out, both, err := program(ctx, at.dir, at.env, st.Cmd[0], st.Cmd[1:]...)
	payload := map[string]any{"cmd": st.Cmd, "method": "exec"}
	if err != nil {
		payload["text"] = both
		return payload, err
	}
	value := strings.TrimRight(out, "\n")
	if st.Sensitive {
		s.Secrets = append(s.Secrets, value)
	}
	s.env = append(s.env, st.Name+"="+value)
	return payload, nil
}
