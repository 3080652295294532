//go:build unix

package startup

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/opsplane/opsplane/infra/local/runtimeapi"
	"github.com/opsplane/opsplane/infra/test/template"
)

// settings are the environment of every start. Nothing listens on the discard port. So a
// function that needs storage to start fails here, as it would fail on a day when storage at
// AWS fails.
var settings = map[string]string{
	"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "localsecret",
	"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
}

// specification describes a binary with the environment of a function. The reference gets the
// same environment, because reading variables takes time.
func specification(f template.Function, path string) runtimeapi.Spec {
	env := map[string]string{}
	for _, from := range []map[string]string{f.Environment, settings} {
		for name, value := range from {
			env[name] = value
		}
	}
	return runtimeapi.Spec{Name: f.LogicalID, Binary: path, Env: env, Timeout: f.Timeout, MemoryMB: f.MemoryMB}
}

// start starts a process, measures how long it takes to ask for its first
// event, and ends it.
func start(ctx context.Context, spec runtimeapi.Spec) (time.Duration, error) {
	var printed output
	spec.Log = func() io.WriteCloser { return &printed }
	instance, err := runtimeapi.Start(spec)
	if err != nil {
		return 0, err
	}
	defer instance.Stop()
	took, err := instance.Ready(ctx)
	if err != nil {
		return 0, fmt.Errorf("%s did not start: %w: %s", spec.Name, err, printed.text())
	}
	return took, nil
}

// pair starts two binaries in turns, n times each. Before that it starts each once without
// counting, which brings the file into memory. The order changes with every turn, so that
// neither binary is always the second.
func pair(ctx context.Context, n int, a, b runtimeapi.Spec) (as, bs []time.Duration, err error) {
	for turn := range n + 1 {
		var took [2]time.Duration
		for step := range 2 {
			which := (turn + step) % 2
			if took[which], err = start(ctx, []runtimeapi.Spec{a, b}[which]); err != nil {
				return nil, nil, err
			}
		}
		if turn > 0 {
			as, bs = append(as, took[0]), append(bs, took[1])
		}
	}
	return as, bs, nil
}

// output keeps what a process prints.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(p)
}

// Close implements io.Closer.
func (o *output) Close() error { return nil }

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}
