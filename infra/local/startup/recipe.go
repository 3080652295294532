//go:build unix

package startup

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// binary is a bootstrap and its size.
type binary struct {
	path   string
	bytes  int64
	zipped int64 // the size of the zip file, as AWS counts a package
}

// recipe builds for this machine's processor with the command that the Makefile has for "sam
// build". So there is no second list of compiler flags.
type recipe struct {
	root string // the repository
	dir  string // folder for what is built
}

// architectures maps Go's names of processors to Lambda's names, as the Makefile spells them.
var architectures = map[string]string{"amd64": "x86_64", "arm64": "arm64"}

// function builds the function that has the logical id.
func (r recipe) function(ctx context.Context, logicalID, group string) (binary, error) {
	command, err := r.command(ctx, logicalID, group)
	if err != nil {
		return binary{}, err
	}
	return r.run(ctx, group, command)
}

// referenceSource is the variable that gives the shell a path. So the path needs no quoting.
const referenceSource = "BENCH_REFERENCE"

// reference builds a folder of testdata with the command of one of the functions. It is
// compiled as part of the product's module, and so with the same versions of libraries.
func (r recipe) reference(ctx context.Context, name, logicalID, group string) (binary, error) {
	command, err := r.command(ctx, logicalID, group)
	if err != nil {
		return binary{}, err
	}
	before, found := strings.CutSuffix(command, "./functions/"+group)
	if !found {
		return binary{}, fmt.Errorf("the Makefile's command for %s does not end with its folder: %q", logicalID, command)
	}
	source := filepath.Join(r.root, "infra", "local", "startup", "testdata", name, "main.go")
	return r.run(ctx, "reference-"+name, before+`"$`+referenceSource+`"`, referenceSource+"="+source)
}

// artifacts takes the place of the output folder until the command is run.
const artifacts = "$BENCH_ARTIFACTS"

// command returns the command that make would run.
func (r recipe) command(ctx context.Context, logicalID, group string) (string, error) {
	arch, ok := architectures[runtime.GOARCH]
	if runtime.GOOS != "linux" || !ok {
		return "", fmt.Errorf("lambda's binaries do not run on %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	cmd := exec.CommandContext(ctx, "make", "--dry-run", "--no-print-directory", "build-"+logicalID,
		"ARTIFACTS_DIR=$"+artifacts, "ARCH="+arch)
	cmd.Dir = r.root
	cmd.Env = outsideMake()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ask make how to build %s: %w: %s", logicalID, err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}

func (r recipe) run(ctx context.Context, name, command string, env ...string) (binary, error) {
	dir := filepath.Join(r.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return binary{}, err
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = r.root
	cmd.Env = append(outsideMake(), append(env, strings.TrimPrefix(artifacts, "$")+"="+dir)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return binary{}, fmt.Errorf("build %s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return weigh(filepath.Join(dir, "bootstrap"))
}

// outsideMake returns the environment without the variables that an outer make has set.
func outsideMake() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS=")
	})
}

func weigh(path string) (binary, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return binary{}, err
	}
	var size counter
	archive := zip.NewWriter(&size)
	entry, err := archive.Create(filepath.Base(path))
	if err != nil {
		return binary{}, err
	}
	if _, err := entry.Write(content); err != nil {
		return binary{}, err
	}
	if err := archive.Close(); err != nil {
		return binary{}, err
	}
	return binary{path: path, bytes: int64(len(content)), zipped: int64(size)}, nil
}

// counter counts the bytes that are written to it.
type counter int64

var _ io.Writer = (*counter)(nil)

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
