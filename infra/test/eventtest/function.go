package eventtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Names of the part of Lambda's Runtime API that a function's loop uses.
const (
	invocations = "/2018-06-01/runtime/invocation/"
	patience    = 30 * time.Second
)

// function is one running instance. It takes one event at a time.
type function struct {
	events  chan []byte
	answers chan []byte
	ended   chan struct{}
	log     *log
}

// log collects what a function prints.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns what was collected.
func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// build compiles every function as for a deployment. Each binary is a file in dir that has the
// name of the function's folder.
func build(t *testing.T, root, dir string) {
	t.Helper()
	build := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc", "-o", dir+"/", "./functions/...")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the functions: %v: %s", err, output)
	}
}

// start runs a built function under a Runtime API until the test ends.
func start(t *testing.T, binary, folder string, environ map[string]string) *function {
	t.Helper()
	f := &function{events: make(chan []byte), answers: make(chan []byte, 1), ended: make(chan struct{}), log: &log{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+invocations+"next", f.next)
	mux.HandleFunc("POST "+invocations+"{id}/response", f.answer)
	mux.HandleFunc("POST "+invocations+"{id}/error", f.answer)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	cmd := exec.Command(binary)
	cmd.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(server.URL, "http://"),
		"AWS_LAMBDA_FUNCTION_NAME=" + folder, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"_HANDLER=bootstrap",
	}
	for name, value := range environ {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = f.log, f.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(f.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-f.ended
	})
	return f
}

// invoke sends an event and returns the decoded response.
func (f *function) invoke(event []byte) (answer any, err error) {
	select {
	case f.events <- event:
	case <-f.ended:
		return nil, fmt.Errorf("the function ended: %s", f.log)
	case <-time.After(patience):
		return nil, fmt.Errorf("the function does not ask for an event: %s", f.log)
	}
	select {
	case text := <-f.answers:
		return answer, json.Unmarshal(text, &answer)
	case <-f.ended:
		return nil, fmt.Errorf("the function ended: %s", f.log)
	case <-time.After(patience):
		return nil, fmt.Errorf("no answer: %s", f.log)
	}
}

func (f *function) next(w http.ResponseWriter, r *http.Request) {
	select {
	case event := <-f.events:
		h := w.Header()
		h.Set("Lambda-Runtime-Aws-Request-Id", uuid.NewString())
		h.Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(patience).UnixMilli()))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:test")
		_, _ = w.Write(event)
	case <-r.Context().Done():
	}
}

func (f *function) answer(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.answers <- text
	w.WriteHeader(http.StatusAccepted)
}
