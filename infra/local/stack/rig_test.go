//go:build unix

package stack

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/template"
)

var binary, tools string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "stack-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	root, err := template.Root(".")
	if err == nil {
		tools = filepath.Join(root, ".tools")
		err = os.MkdirAll(tools, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "opsplane-local")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/opsplane-local").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the stack: %v: %s", err, out)
		return 1
	}
	return m.Run()
}

// newApp copies the small product that the tests run.
func newApp(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(filepath.Join("testdata", "app"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(tools, filepath.Join(root, ".tools")); err != nil {
		t.Fatal(err)
	}
	return root
}

// running is a stack in a process of its own.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	url   string
	state string
	ended chan struct{}

	mu     sync.Mutex
	screen bytes.Buffer
}

// Write collects what the stack prints.
func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.screen.Write(p)
}

func (r *running) printed() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.screen.String()
}

// launch starts a stack on an app and a state folder, and does not wait for it.
func launch(t *testing.T, root, state string, port int, env ...string) *running {
	t.Helper()
	r := &running{t: t, url: fmt.Sprintf("http://127.0.0.1:%d", port), state: state, ended: make(chan struct{})}
	r.cmd = exec.Command(binary)
	r.cmd.Dir = root
	r.cmd.Env = append(os.Environ(), "PORT="+strconv.Itoa(port), "STATE="+state, "DYNAMODB_URL=", "S3_URL=")
	r.cmd.Env = append(r.cmd.Env, env...)
	r.cmd.Stdout, r.cmd.Stderr = r, r
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait()
		close(r.ended)
	}()
	t.Cleanup(func() {
		r.signal(syscall.SIGTERM)
		r.awaitEnd()
	})
	return r
}

// start starts a stack and waits until it serves.
func start(t *testing.T, root, state string, env ...string) *running {
	t.Helper()
	r := launch(t, root, state, freePort(t), env...)
	r.await("the stack to be ready", func() bool {
		_, err := os.Stat(filepath.Join(state, "url"))
		return err == nil
	})
	return r
}

// await waits until holds returns true. The test fails after a limit that is long enough for
// any build on a loaded machine. The test measures no times.
func (r *running) await(what string, holds func() bool) {
	const limit = 2 * time.Minute
	r.t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		select {
		case <-r.ended:
			r.t.Fatalf("the stack ended before %s; it printed:\n%s", what, r.printed())
		default:
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s did not come to pass within %s; the stack printed:\n%s", what, limit, r.printed())
		}
	}
}

func (r *running) signal(s syscall.Signal) { _ = r.cmd.Process.Signal(s) }

// awaitEnd waits for the end of the process and returns its exit code.
func (r *running) awaitEnd() int {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(time.Minute):
		r.signal(syscall.SIGKILL)
		r.t.Errorf("the stack did not end; it printed:\n%s", r.printed())
		<-r.ended
	}
	return r.cmd.ProcessState.ExitCode()
}

// get returns status and body of a request.
func (r *running) get(path string) (int, string) {
	response, err := http.Get(r.url + path)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// process is a row of ps.
type process struct {
	pid, parent int
	command     string
}

// processes lists all running processes. A zombie does not count: it has ended, and only its
// parent has not read its status.
func processes(t *testing.T) []process {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,stat=,args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []process
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 4 || strings.HasPrefix(f[2], "Z") {
			continue
		}
		pid, _ := strconv.Atoi(f[0])
		parent, _ := strconv.Atoi(f[1])
		list = append(list, process{pid, parent, strings.Join(f[3:], " ")})
	}
	return list
}

// children lists the descendants of the stack's process.
func (r *running) children() []process {
	family := []int{r.cmd.Process.Pid}
	var found []process
	for grown := true; grown; {
		grown = false
		for _, p := range processes(r.t) {
			if slices.Contains(family, p.parent) && !slices.Contains(family, p.pid) {
				family, found, grown = append(family, p.pid), append(found, p), true
			}
		}
	}
	return found
}

// awaitGone waits until all the processes have ended.
func awaitGone(t *testing.T, family []process) {
	t.Helper()
	var left []process
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		left = slices.DeleteFunc(processes(t), func(p process) bool {
			return !slices.ContainsFunc(family, func(f process) bool { return f.pid == p.pid && f.command == p.command })
		})
		if len(left) == 0 {
			return
		}
	}
	t.Errorf("left behind: %v", left)
}
