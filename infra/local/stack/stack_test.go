//go:build unix

package stack

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/local/servers"
	"github.com/opsplane/opsplane/infra/local/state"
	"github.com/opsplane/opsplane/infra/test/storagetest"
)

func TestStackServesAndCtrlCLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	root, folder := newApp(t), t.TempDir()
	s := start(t, root, folder)
	if status, body := s.get("/x"); status != 200 || body != "v1" {
		t.Fatalf("got %d %q", status, body)
	}
	if _, body := s.get("/environment"); !strings.HasPrefix(body, "opsplane-operationstable "+s.url+" http://127.0.0.1:") {
		t.Errorf("the function's environment: got %q", body)
	}
	key, err := os.ReadFile(filepath.Join(folder, "api-key"))
	if err != nil || !strings.HasPrefix(string(key), "opk_") || !strings.Contains(s.printed(), strings.TrimSpace(string(key))) {
		t.Errorf("API key: got %q, %v", key, err)
	}
	if info, err := os.Stat(filepath.Join(folder, "api-key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key's file: %v, %v", info.Mode(), err)
	}
	// The first user and the key are changes of a table with a stream.
	s.await("the changes to be delivered", func() bool { return strings.Contains(s.printed(), "changes") })
	if !strings.Contains(s.printed(), "cron(0 0 * * ? *)") {
		t.Error("nothing is said of a schedule that is not run")
	}
	go s.get("/hang")
	s.await("a request to hang", func() bool { return strings.Contains(s.printed(), "hanging") })
	family := s.children()
	if len(family) < 3 {
		t.Errorf("children: got %v, want servers and functions", family)
	}
	begun := time.Now()
	s.signal(syscall.SIGINT)
	if code := s.awaitEnd(); code != 0 {
		t.Errorf("exit code: got %d", code)
	}
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("Ctrl-C with a hanging function took %s", took)
	}
	awaitGone(t, family)
	begun = time.Now()
	s = start(t, root, folder)
	limit := 5 * time.Second
	if os.Getenv("DYNAMODB") == servers.DynamoDBLocal {
		limit = 20 * time.Second // Java, while other tests run
	}
	if took := time.Since(begun); took > limit {
		t.Errorf("the second start took %s", took)
	}
	if again, _ := os.ReadFile(filepath.Join(folder, "api-key")); string(again) != string(key) {
		t.Error("the second start made another key")
	}
	s.signal(syscall.SIGINT)
	s.awaitEnd()
	if left, err := state.Clean(folder); err != nil || len(left) > 0 {
		t.Errorf("a clean leaves %q, %v", left, err)
	}
}

func TestOneClearLineAndExitOne(t *testing.T) {
	t.Parallel()
	root, state := newApp(t), t.TempDir()
	s := start(t, root, state)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	taken := listener.Addr().(*net.TCPAddr).Port
	withGit, withoutGit := withTools(t, "go", "java", "git"), withTools(t, "go", "java")
	photos := t.TempDir()
	if err := os.Mkdir(filepath.Join(photos, "photos"), 0o755); err != nil {
		t.Fatal(err)
	}
	bare := newApp(t)
	if err := os.Remove(filepath.Join(bare, ".tools")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		root, state string
		port        int
		env         string
		want        string
	}{
		"second stack on a state": {root, state, freePort(t), "", "another stack uses " + state},
		"folder of the user":      {root, photos, freePort(t), "", "STATE=" + photos + " is not the folder of a local stack: it holds photos"},
		"port in use":             {root, t.TempDir(), taken, "", "port " + strconv.Itoa(taken) + " is in use"},
		"no go":                   {root, t.TempDir(), freePort(t), "PATH=/nowhere", "go is not installed"},
		"no npm":                  {bare, t.TempDir(), freePort(t), "PATH=" + withGit, "is not installed"},
		"no git":                  {root, t.TempDir(), freePort(t), "PATH=" + withoutGit, "git is not installed"},
		"no such server":          {root, t.TempDir(), freePort(t), "DYNAMODB=other", "DYNAMODB=other: no such server"},
		"no instances":            {root, t.TempDir(), freePort(t), "INSTANCES=0", "INSTANCES=0 is not a number from 1 on"},
		"half throttled":          {root, t.TempDir(), freePort(t), "THROTTLE=some", "THROTTLE=some is neither on nor off"},
		"parameter without value": {root, t.TempDir(), freePort(t), "PARAMETERS=RefreshRateLimit", "want Name=value"},
		"unknown parameter":       {root, t.TempDir(), freePort(t), "PARAMETERS=Nonsense=1", "no parameter Nonsense"},
	} {
		t.Run(name, func(t *testing.T) {
			failed := launch(t, c.root, c.state, c.port, c.env)
			if code := failed.awaitEnd(); code != 1 {
				t.Errorf("exit code: got %d, want 1", code)
			}
			var errors []string
			for line := range strings.Lines(failed.printed()) {
				if !strings.HasPrefix(line, "stack ") {
					errors = append(errors, line)
				}
			}
			if len(errors) != 1 || !strings.Contains(errors[0], c.want) {
				t.Errorf("printed %q, want one line with %q", errors, c.want)
			}
		})
	}
	if status, _ := s.get("/x"); status != 200 {
		t.Errorf("the first stack after all that: got %d", status)
	}
}

func TestSavedSourceIsServedAndErrorsAreNot(t *testing.T) {
	t.Parallel()
	root := newApp(t)
	s := start(t, root, t.TempDir())
	main := filepath.Join(root, "functions", "echo", "main.go")
	source, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	save := func(old, changed string) {
		t.Helper()
		text := strings.Replace(string(source), old, changed, 1)
		if err := os.WriteFile(main, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	serves := func(want string) func() bool {
		return func() bool { _, body := s.get("/x"); return body == want }
	}
	save(`"v1"`, `"v2"`)
	s.await("the new source to be served", serves("v2"))
	save(`"v1"`, `nonsense`)
	s.await("the compiler's error", func() bool { return strings.Contains(s.printed(), "undefined: nonsense") })
	if !serves("v2")() {
		t.Error("the last good build does not go on")
	}
	save(`"v1"`, "\"v3\"\n\nfunc init() { panic(\"not today\") }\n\nconst unused = \"\"")
	s.await("the panic", func() bool {
		return strings.Contains(s.printed(), "not today") && strings.Contains(s.printed(), "does not start")
	})
	if !serves("v2")() {
		t.Error("the last good build does not go on after one that does not start")
	}
	save(`"v1"`, `"v4"`)
	s.await("the mended source to be served", serves("v4"))
}

func TestCrashShowsItsLogAndTheStackGoesOn(t *testing.T) {
	t.Parallel()
	s := start(t, newApp(t), t.TempDir())
	if status, body := s.get("/crash"); status != 502 || body != `{"message":"Internal server error"}` {
		t.Errorf("got %d %q, want 502", status, body)
	}
	if status, body := s.get("/x"); status != 200 || body != "v1" {
		t.Errorf("afterwards: got %d %q", status, body)
	}
	if p := s.printed(); !strings.Contains(p, "echo       | about to crash") || !strings.Contains(p, "EchoFunction: Runtime.ExitError: exit status 9") {
		t.Errorf("printed:\n%s", p)
	}
}

func TestKillingTheStackLeavesNothing(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Log("only Linux ends children with their parent")
		return
	}
	root, state := newApp(t), t.TempDir()
	s := start(t, root, state)
	go s.get("/hang")
	s.await("a request to hang", func() bool { return strings.Contains(s.printed(), "hanging") })
	family := s.children()
	s.signal(syscall.SIGKILL)
	<-s.ended
	awaitGone(t, family)
	if err := os.Remove(filepath.Join(state, "url")); err != nil {
		t.Fatal(err)
	}
	if status, _ := start(t, root, state).get("/x"); status != 200 {
		t.Errorf("the next start: got %d", status)
	}
}

func TestServersOfTheUsersOwn(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := start(t, newApp(t), t.TempDir(), "DYNAMODB_URL="+env.DynamoDBURL, "S3_URL="+env.S3URL)
	if _, body := s.get("/environment"); !strings.HasSuffix(body, env.DynamoDBURL+" "+env.S3URL) {
		t.Errorf("the function's environment: got %q", body)
	}
	for _, p := range s.children() {
		if !strings.Contains(p.command, "bootstrap") {
			t.Errorf("started although servers were given: %s", p.command)
		}
	}
}

// withTools returns a folder for the PATH that has some tools and no others.
func withTools(t *testing.T, tools ...string) string {
	t.Helper()
	folder := t.TempDir()
	for _, tool := range tools {
		path, err := exec.LookPath(tool)
		if err != nil {
			continue // then this tool is the missing one
		}
		if err := os.Symlink(path, filepath.Join(folder, tool)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}
