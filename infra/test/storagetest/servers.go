//go:build unix

package storagetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/opsplane/opsplane/infra/test/template"
)

type servers struct {
	root     string
	owned    bool
	DynamoDB string    `json:"dynamodb_url"`
	S3       string    `json:"s3_url"`
	stdin    io.Closer // kept forever: a finalizer would close it, and that would end the servers
}

// addresses finds or starts the servers, once in a process.
var addresses = sync.OnceValues(func() (servers, error) {
	root, err := template.Root(".")
	if err != nil {
		return servers{}, err
	}
	s := servers{root: root, DynamoDB: os.Getenv("DYNAMODB_URL"), S3: os.Getenv("S3_URL")}
	if s.DynamoDB != "" && s.S3 != "" {
		return s, nil
	}
	// We own the servers only if we started both. A server that the user named is not ours.
	s.owned = s.DynamoDB == "" && s.S3 == ""
	binary, err := build(root)
	if err != nil {
		return servers{}, err
	}
	return s, s.start(binary)
})

// build builds the program that starts the servers. It is in a module of its own, so that its
// dependencies are not dependencies of the product.
func build(root string) (string, error) {
	dir := filepath.Join(root, ".tools")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// The packages of one test run may build it at the same time.
	lock, err := os.OpenFile(filepath.Join(dir, "storage.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "storage")
	cmd := exec.Command("go", "build", "-o", binary, "-ldflags", "-s -w", "./cmd/storage")
	cmd.Dir = filepath.Join(root, "infra", "local")
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the storage servers: %w: %s", err, output)
	}
	return binary, nil
}

// start runs the program until this process ends. The program ends when its standard input
// closes, and only this process holds the other end.
func (s *servers) start(binary string) error {
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "TOOLS="+filepath.Dir(binary))
	var said output
	cmd.Stderr = &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := json.NewDecoder(stdout).Decode(s); err != nil {
		_ = stdin.Close()
		_ = cmd.Wait()
		return fmt.Errorf("start the storage servers: %s", strings.TrimSpace(said.String()))
	}
	s.stdin = stdin
	return nil
}

// output collects what a process prints, for an error message.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.text.Len() < 1<<16 {
		o.text.Write(p)
	}
	return len(p), nil
}

// String returns what was collected.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
