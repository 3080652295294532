// Package gitrepo makes real git repositories for the stand-ins of the hosts. It runs the
// command git (2.38 or later) on bare repositories in folders. It reads no configuration of
// the machine or the user, and no network. The id of a commit follows from its content, its
// author and its time, so equal calls make equal commits.
package gitrepo

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// Repository is a bare repository. Its methods may be called at the same time.
type Repository struct {
	// Dir is the folder of the repository.
	Dir string

	writes sync.Mutex // of the branches

	trees  cache[string, []vcstest.File] // by commit
	blobs  cache[string, []byte]         // by id
	bases  cache[[2]string, string]      // merge bases, by the two commits
	merges cache[[2]string, merged]      // by base and head
}

// ErrUnknown says that a repository has no such branch, commit or file.
var ErrUnknown = errors.New("the repository does not have it")

// DefaultBranch is the branch of a new repository.
const DefaultBranch = "main"

// Create makes a repository with commits, which may be none. The folder must be new or empty.
func Create(dir string, commits ...Commit) (*Repository, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	r := &Repository{Dir: dir}
	_, err := r.git("init", "--quiet", "--bare", "--template=", "--initial-branch="+DefaultBranch, dir)
	if err == nil && len(commits) > 0 {
		_, err = r.fastImport(commits)
	}
	return r, err
}

// Open opens a repository that Create has made before. It returns an error that wraps
// fs.ErrNotExist if there is none.
func Open(dir string) (*Repository, error) {
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err != nil {
		return nil, err
	}
	return &Repository{Dir: dir}, nil
}

// Signature says who made a commit, and when.
type Signature struct {
	// Name is the author's. It may be empty.
	Name string
	// At is the time, in seconds. The zero time stands for a fixed one.
	At time.Time
}

// fixed is the time of commits for which no other is given.
var fixed = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)

// line returns the signature as git's formats have it.
func (s Signature) line() string {
	name := cmp.Or(s.Name, "opsplane")
	return fmt.Sprintf("%s <%s@example.com> %d +0000", name, name, s.seconds())
}

func (s Signature) seconds() int64 {
	if s.At.IsZero() {
		return fixed.Unix()
	}
	return s.At.Unix()
}

// env returns the variables with which git makes commits of the signature.
func (s Signature) env() []string {
	name, at := cmp.Or(s.Name, "opsplane"), fmt.Sprintf("%d +0000", s.seconds())
	return []string{
		"GIT_AUTHOR_NAME=" + name, "GIT_AUTHOR_EMAIL=" + name + "@example.com", "GIT_AUTHOR_DATE=" + at,
		"GIT_COMMITTER_NAME=" + name, "GIT_COMMITTER_EMAIL=" + name + "@example.com", "GIT_COMMITTER_DATE=" + at,
	}
}

// git runs a command on the repository and returns what it prints, without the last line end.
func (r *Repository) git(args ...string) (string, error) { return r.run(nil, nil, args...) }

// run runs a command with more variables, and with an input.
func (r *Repository) run(env []string, in io.Reader, args ...string) (string, error) {
	var out, problem bytes.Buffer
	cmd := command(r.Dir, env, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &problem
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(problem.String()))
	}
	return strings.TrimSuffix(out.String(), "\n"), err
}

// command returns a command of git that depends on nothing but its repository. It does not
// wait for the disk, and compresses nothing: a repository of a stand-in is small and need not
// outlive the machine.
func command(dir string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", append([]string{"-c", "core.fsync=none", "-c", "core.compression=0", "-c", "gc.auto=0", "-c", "advice.detachedHead=false"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.DevNull, "XDG_CONFIG_HOME=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
	}, env...)
	return cmd
}

// exit returns the exit code of a command that failed.
func exit(err error) int {
	var e *exec.ExitError
	if errors.As(err, &e) {
		return e.ExitCode()
	}
	return -1
}
