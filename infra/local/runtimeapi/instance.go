//go:build unix

// Package runtimeapi runs a function's own bootstrap binary as Lambda does: under the Runtime
// API, with one event at a time in each process, with more processes when more events arrive,
// and with Lambda's limits of time and size.
//
// An event is delivered to a function at most once. If the event may have begun, its failure is
// returned to the caller, and the event is not tried again.
package runtimeapi

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/local/process"
)

// Spec describes a function as an instance needs it.
type Spec struct {
	Name     string            // the function's name in its environment and ARN
	Binary   string            // path of its bootstrap
	Env      map[string]string // added to what Lambda sets itself
	Timeout  time.Duration     // of one invocation. After it the process is killed
	MemoryMB int               // the function sees this number, but nothing enforces it
	// Log makes a writer for the output of one process. If Log is nil, the output is dropped.
	Log func() io.WriteCloser
}

// InitTimeout is the maximum time from a process's start to its first request for an event, as
// in Lambda.
const InitTimeout = 10 * time.Second

// stopGrace is how long an instance may take to end after it was asked to end. An idle instance
// ends at once, and a busy instance is only stopped together with the whole stack.
const stopGrace = time.Second

// Instance is one process of a function.
type Instance struct {
	spec     Spec
	protocol *protocol
	server   *http.Server
	child    *process.Child
	started  time.Time
}

// Start starts a process. It does not wait until the process is ready: see Ready.
func Start(spec Spec) (*Instance, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i := &Instance{spec: spec, protocol: newProtocol()}
	i.server = &http.Server{
		Handler: i.protocol.handler(),
		// A killed function breaks its connections. That is expected and is not logged.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = i.server.Serve(listener) }()
	cmd := exec.Command(spec.Binary)
	cmd.Dir = filepath.Dir(spec.Binary)
	cmd.Env = environment(spec, listener.Addr().String())
	var printed io.WriteCloser
	if spec.Log != nil {
		printed = spec.Log()
		cmd.Stdout, cmd.Stderr = printed, printed
	}
	i.started = time.Now()
	if i.child, err = process.Start(cmd); err != nil {
		_ = i.server.Close()
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	go func() {
		<-i.child.Done()
		_ = i.server.Close()
		if printed != nil {
			_ = printed.Close()
		}
	}()
	return i, nil
}

// environment returns the variables that Lambda gives a process. It takes nothing from our own
// environment.
func environment(spec Spec, api string) []string {
	vars := map[string]string{
		"AWS_LAMBDA_RUNTIME_API": api, "AWS_LAMBDA_FUNCTION_NAME": spec.Name, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(spec.MemoryMB), "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "_HANDLER": "bootstrap",
		"LAMBDA_TASK_ROOT": filepath.Dir(spec.Binary), "PATH": "/usr/local/bin:/usr/bin:/bin", "TZ": ":UTC", "LANG": "en_US.UTF-8",
	}
	for name, value := range spec.Env {
		vars[name] = value
	}
	list := make([]string, 0, len(vars))
	for name, value := range vars {
		list = append(list, name+"="+value)
	}
	return list
}

// Ready waits until the process asks for its first event. It returns the time from the start
// until then.
func (i *Instance) Ready(ctx context.Context) (time.Duration, error) {
	timer := time.NewTimer(InitTimeout)
	defer timer.Stop()
	select {
	case <-i.protocol.ready:
		return time.Since(i.started), nil
	case <-i.child.Done():
		return 0, i.ended()
	case <-timer.C:
		i.child.Kill()
		return 0, &FunctionError{Type: initializationTimeout, Message: fmt.Sprintf("not ready after %s", InitTimeout)}
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// PID returns the process id.
func (i *Instance) PID() int { return i.child.PID() }

// Done is closed when the process has ended.
func (i *Instance) Done() <-chan struct{} { return i.child.Done() }

// Stop ends the process.
func (i *Instance) Stop() { i.child.Stop(stopGrace) }

// ended returns the reason why the process has ended.
func (i *Instance) ended() error {
	i.protocol.mu.Lock()
	defer i.protocol.mu.Unlock()
	if e := i.protocol.initErr; e != nil {
		return e
	}
	message := "the process ended"
	if err := i.child.Err(); err != nil {
		message = err.Error()
	}
	return &FunctionError{Type: ExitError, Message: message}
}

// deliver gives an event to the process. An error means that the process has not seen the
// event.
func (i *Instance) deliver(in *invocation) error {
	if _, err := i.Ready(context.Background()); err != nil {
		return err
	}
	in.deadline = time.Now().Add(i.spec.Timeout)
	timer := time.NewTimer(InitTimeout)
	defer timer.Stop()
	select {
	case i.protocol.work <- in:
		return nil
	case <-i.child.Done():
		return i.ended()
	case <-timer.C:
		i.child.Kill()
		return &FunctionError{Type: TimedOut, Message: "the process did not ask for another event"}
	}
}

// Invoke delivers one event and waits for its response. It must not be called again before it
// returns.
func (i *Instance) Invoke(payload []byte) ([]byte, error) {
	in := i.invocation(payload)
	if err := i.deliver(in); err != nil {
		return nil, err
	}
	return i.await(in)
}

func (i *Instance) invocation(payload []byte) *invocation {
	return &invocation{
		id: uuid.NewString(), payload: payload, result: make(chan result, 1),
		arn: "arn:aws:lambda:us-east-1:000000000000:function:" + i.spec.Name,
	}
}

// await waits for the response. It kills a process that takes too long, as Lambda does, because
// nothing else ends a handler that hangs.
func (i *Instance) await(in *invocation) ([]byte, error) {
	timer := time.NewTimer(time.Until(in.deadline))
	defer timer.Stop()
	select {
	case r := <-in.result:
		return r.payload, r.err
	case <-i.child.Done():
	case <-timer.C:
		i.child.Kill()
		return nil, &FunctionError{Type: TimedOut, Message: fmt.Sprintf("Task timed out after %.2f seconds", i.spec.Timeout.Seconds())}
	}
	select {
	case r := <-in.result: // it responded and then ended
		return r.payload, r.err
	default:
		return nil, i.ended()
	}
}
