//go:build unix

package build

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func source(text string) string {
	return "package main\n\nfunc main() { print(\"" + text + "\") }\n"
}

func newBuilder(t *testing.T) (*Builder, string) {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module example.test/app\n\ngo 1.26\n")
	write(t, filepath.Join(root, "functions", "kv", "main.go"), source("one"))
	write(t, filepath.Join(root, "functions", "tokens", "main.go"), source("tokens"))
	return &Builder{Root: root, Dir: t.TempDir(), Groups: []string{"kv", "tokens"}}, filepath.Join(root, "functions", "kv", "main.go")
}

func TestOnlyWhatChangedGetsANewPath(t *testing.T) {
	t.Setenv("GOOS", "plan9") // must not reach the compiler
	b, kv := newBuilder(t)
	first, err := b.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, kv, source("two"))
	second, err := b.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first["tokens"] != second["tokens"] || first["kv"] == second["kv"] {
		t.Errorf("paths: got %v, then %v", first, second)
	}
	for path, want := range map[string]string{first["kv"]: "one", second["kv"]: "two"} {
		if out, err := exec.Command(path).CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("%s: got %q, %v, want %q", path, out, err, want)
		}
	}
	b.Clean(second)
	if _, err := os.Stat(first["kv"]); !os.IsNotExist(err) {
		t.Errorf("the old build after Clean: %v", err)
	}
	if _, err := os.Stat(second["kv"]); err != nil {
		t.Errorf("the new build after Clean: %v", err)
	}
}

func TestCompilerErrorIsShownAndLeavesTheLastBuild(t *testing.T) {
	b, kv := newBuilder(t)
	paths, err := b.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, kv, "package main\n\nfunc main() { nonsense }\n")
	_, err = b.Build(t.Context())
	var broken *Error
	if !errors.As(err, &broken) || !strings.Contains(broken.Output, "nonsense") {
		t.Errorf("error: got %v, want the compiler's", err)
	}
	if _, err := os.Stat(paths["kv"]); err != nil {
		t.Errorf("the last build: %v", err)
	}
}

func TestCancelledBuildEnds(t *testing.T) {
	b, _ := newBuilder(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Build(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error: got %v, want context.Canceled", err)
	}
}
