//go:build unix

// Package build compiles the functions for this machine. The flags are those of a build for
// Lambda; only the processor may differ. A build either replaces the earlier binaries, or fails
// and leaves them as they are.
package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/opsplane/opsplane/infra/local/process"
)

// Builder builds the functions of a repository.
type Builder struct {
	Root   string   // the repository
	Dir    string   // for what is built
	Groups []string // folders under functions/
	// Report receives one line for each download, and lines about the progress of a long build.
	// It may be nil.
	Report func(line string)
}

// Error says that the source does not compile.
type Error struct {
	Output string // what the compiler said
}

// Error implements error.
func (e *Error) Error() string { return "the functions do not compile:\n" + e.Output }

// Build compiles every group and returns the path of each group's bootstrap. A path changes
// exactly when its binary changes. A binary whose path was returned stays at that path until
// Clean.
func (b *Builder) Build(ctx context.Context) (map[string]string, error) {
	compiled := filepath.Join(b.Dir, "compiled")
	if err := os.MkdirAll(compiled, 0o755); err != nil {
		return nil, err
	}
	// One invocation builds all groups, so that the compiler compiles shared packages once.
	args := []string{"build", "-v", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", compiled + string(filepath.Separator)}
	for _, group := range b.Groups {
		args = append(args, "./functions/"+group)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = b.Root
	cmd.Env = environment()
	output := &progress{report: b.Report, every: tellEvery, told: time.Now()}
	cmd.Stdout, cmd.Stderr = output, output
	if err := process.Run(ctx, cmd); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if text := output.said(); text != "" {
			return nil, &Error{Output: text}
		}
		return nil, fmt.Errorf("go build: %w", err)
	}
	paths := map[string]string{}
	for _, group := range b.Groups {
		path, err := b.keep(filepath.Join(compiled, group), group)
		if err != nil {
			return nil, err
		}
		paths[group] = path
	}
	return paths, nil
}

// environment returns this process's environment without the variables that select another
// machine.
func environment() []string {
	env := []string{"CGO_ENABLED=0"}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if name != "CGO_ENABLED" && name != "GOOS" && name != "GOARCH" {
			env = append(env, v)
		}
	}
	return env
}

// keep copies a binary to a folder whose name is derived from the content. So a later build
// cannot change the binary under a running function.
func (b *Builder) keep(compiled, group string) (string, error) {
	source, err := os.Open(compiled)
	if err != nil {
		return "", err
	}
	defer func() { _ = source.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, source); err != nil {
		return "", err
	}
	path := filepath.Join(b.Dir, group, hex.EncodeToString(hash.Sum(nil)[:8]), "bootstrap")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	if _, err := source.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	part := path + ".part"
	target, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(target, source)
	if closed := target.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return "", err
	}
	return path, os.Rename(part, path)
}

// Clean removes the builds of earlier sources. It keeps the builds in paths.
func (b *Builder) Clean(paths map[string]string) {
	for _, group := range b.Groups {
		versions, err := os.ReadDir(filepath.Join(b.Dir, group))
		if err != nil {
			continue
		}
		for _, v := range versions {
			if dir := filepath.Join(b.Dir, group, v.Name()); dir != filepath.Dir(paths[group]) {
				_ = os.RemoveAll(dir)
			}
		}
	}
}
