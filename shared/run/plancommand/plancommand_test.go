package plancommand_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opsplane/opsplane/shared/run/plancommand"
)

const (
	token     = "opsr_a-long-random-token-000000000000"
	signature = "X-Amz-Signature=0123456789"
	workToken = "work-token-1"
)

// server is a server of a run and its bucket, as the command sees them.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	stored  []byte
	failing int // how many transfers fail before one succeeds
	asked   []string
	ended   bool
	refuse  bool
}

func newServer(t *testing.T) *server {
	s := &server{}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/api/github/v1/work-manifests/"+workToken)
	s.asked = append(s.asked, r.Method+" "+path)
	of := map[string]string{"path": "net $1", "workspace": "it's"}
	switch {
	case path == "/initiate" && string(body) == `{"run_id": "777", "sha": "aa"}` && s.ended:
		fmt.Fprint(w, `{"type":"done"}`)
	case path == "/initiate" && string(body) == `{"run_id": "777", "sha": "aa"}`:
		fmt.Fprintf(w, `{"type":"plan","token":%q}`, token)
	case path == "/bucket" && s.failing > 0:
		s.failing--
		http.Error(w, signature, http.StatusServiceUnavailable)
	case path == "/bucket" && r.Header.Get("Authorization") != "":
		http.Error(w, "the token is not for the bucket", http.StatusBadRequest)
	case path == "/bucket" && r.Method == http.MethodPut && r.Header.Get("X-Sum") == "x" && r.ContentLength == int64(len(body)):
		s.stored = body
	case path == "/bucket" && r.Method == http.MethodGet:
		_, _ = w.Write(s.stored)
	case r.Header.Get("Authorization") != "Bearer "+token:
		w.WriteHeader(http.StatusForbidden)
	case s.refuse:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprint(w, `{"id":"PLAN_TOO_LARGE","data":"the plan is too large"}`)
	case path == "/plans/upload":
		var asked map[string]any
		if json.Unmarshal(body, &asked) != nil || asked["path"] != of["path"] || asked["workspace"] != of["workspace"] || asked["sha256"] == "" || asked["size"] == nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, `{"url":"%s%sbucket?%s","headers":{"X-Sum":"x"}}`, s.URL, "/api/github/v1/work-manifests/"+workToken+"/", signature)
	case path == "/plans/download" && r.FormValue("path") == of["path"] && r.FormValue("workspace") == of["workspace"]:
		fmt.Fprintf(w, `{"url":"%s%sbucket?%s","sha256":"%x"}`, s.URL, "/api/github/v1/work-manifests/"+workToken+"/", signature, sha256.Sum256(s.stored))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// execute executes a command as a step of the CI job of the run does, in a directory with
// modules of somebody else.
func execute(t *testing.T, command []string, plan string) (code int, printed string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"json.py", "hashlib.py", "ssl.py"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("raise SystemExit('a module of the repository')"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GITHUB_RUN_ID=777", "GITHUB_SHA=aa",
		"TERRATEAM_PLAN_FILE=" + plan, "TERRATEAM_DIR=net $1", "TERRATEAM_WORKSPACE=it's",
	}
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), token) || strings.Contains(string(text), signature) {
		t.Errorf("the log has a credential: %s", text)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// words returns the words of a command after the runner has replaced $token in them.
func words(t *testing.T, list any) []string {
	t.Helper()
	var command []string
	for _, word := range list.([]any) {
		text := strings.ReplaceAll(word.(string), "$token", workToken)
		if strings.Contains(text, "$") {
			t.Errorf("the runner would replace something in %q", text)
		}
		command = append(command, text)
	}
	return command
}

func fetch(t *testing.T, s *server) []string {
	t.Helper()
	text, err := plancommand.Document(plancommand.RunAddress(s.URL+"/api/github", workToken))
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Fetch []string }
	if err := json.Unmarshal(text, &document); err != nil || strings.Contains(string(text), "$") {
		t.Fatalf("got %s, %v", text, err)
	}
	return document.Fetch
}

func TestPlanGoesToTheBucketAndBack(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	plan := filepath.Join(t.TempDir(), "plan")
	want := bytes.Repeat([]byte("plan\x00\xff"), 1<<20)
	if err := os.WriteFile(plan, want, 0o600); err != nil {
		t.Fatal(err)
	}
	s.failing = 1
	if code, printed := execute(t, words(t, plancommand.Storage(s.URL + "/api/github/")["store"]), plan); code != 0 || printed != "" {
		t.Fatalf("got %d, %s", code, printed)
	}
	if !bytes.Equal(s.stored, want) {
		t.Fatalf("the bucket has %d bytes", len(s.stored))
	}
	s.failing = 1
	copied := filepath.Join(t.TempDir(), "copy")
	if code, printed := execute(t, fetch(t, s), copied); code != 0 || printed != "" {
		t.Fatalf("got %d, %s", code, printed)
	}
	if got, err := os.ReadFile(copied); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestCommandSaysWhyAPlanWasNotMoved(t *testing.T) {
	t.Parallel()
	plan := filepath.Join(t.TempDir(), "plan")
	if err := os.WriteFile(plan, []byte("plan"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*server){
		"the run has ended":                          func(s *server) { s.ended = true },
		`status 413: {"id":"PLAN_TOO_LARGE","data":`: func(s *server) { s.refuse = true },
	} {
		s := newServer(t)
		change(s)
		code, printed := execute(t, words(t, plancommand.Storage(s.URL + "/api/github")["store"]), plan)
		if code != 1 || !strings.HasPrefix(printed, "store the plan: ") || !strings.Contains(printed, want) || strings.Count(printed, "\n") != 1 {
			t.Errorf("got %d and %q, want %q", code, printed, want)
		}
		if len(s.asked) > 2 {
			t.Errorf("asked %q: a refusal is not repeated", s.asked)
		}
	}
}
