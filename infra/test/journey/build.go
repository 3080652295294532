//go:build unix

package journey

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/opsplane/opsplane/infra/test/template"
)

// programs holds the paths of the binaries that a journey runs.
type programs struct {
	root  string // the repository
	stack string // the local stack
	admin string // the operator's commands
	demo  string // what "make demo" runs
	host  string // what "make host" runs
}

// build builds the programs once in a process. They are in modules of their own, so that their
// dependencies are not dependencies of the product.
var build = sync.OnceValues(func() (programs, error) {
	root, err := template.Root(".")
	if err != nil {
		return programs{}, err
	}
	dir := filepath.Join(root, ".tools")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return programs{}, err
	}
	unlock, err := lock(filepath.Join(dir, "journey.lock"))
	if err != nil {
		return programs{}, err
	}
	defer unlock()
	p := programs{root: root, stack: filepath.Join(dir, "opsplane-local"), admin: filepath.Join(dir, "admin"), demo: filepath.Join(dir, "demo"), host: filepath.Join(dir, "host")}
	for _, b := range []struct{ module, pkg, binary string }{
		{"local", "./cmd/opsplane-local", p.stack},
		{"admin", "./cmd/admin", p.admin},
		{"admin", "./cmd/demo", p.demo},
		{"local", "./cmd/host", p.host},
	} {
		// Each build writes a new file, because the file of a running program cannot be
		// overwritten.
		fresh := fmt.Sprintf("%s.%d", b.binary, os.Getpid())
		cmd := exec.Command("go", "build", "-o", fresh, b.pkg)
		cmd.Dir = filepath.Join(root, "infra", b.module)
		if output, err := cmd.CombinedOutput(); err != nil {
			return programs{}, fmt.Errorf("build %s: %w: %s", b.pkg, err, output)
		}
		if err := os.Rename(fresh, b.binary); err != nil {
			return programs{}, err
		}
	}
	return p, nil
})

// lock keeps other test processes from building the same files at the same time.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
