package demohost

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/opsplane/opsplane/infra/test/testrunner"
	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// tree holds the files of every repository: those of the branch main, and for each other
// branch the files that differ.
//
//go:embed tree
var tree embed.FS

// Commits of the branches. All repositories have the same.
const (
	mainCommit   = "9f2c1a77d05e4b3f8c6d1e2f3a4b5c6d7e8f9a0b"
	changeCommit = "77ab02c4d6e8f0a1b3c5d7e9f1a3b5c7d9e1f3a5"
)

// branch is a branch of every repository.
type branch struct {
	commit string
	// files is the folder of tree with the files that differ from main. It may be empty.
	files string
	// fault is what the runner does wrong there.
	fault testrunner.Fault
}

// branches are by name. Those below runner/ show what happens to a run whose runner does not
// do its work.
var branches = map[string]branch{
	"main":           {commit: mainCommit},
	"feature/bucket": {commit: changeCommit},
	"limits":         {commit: changeCommit, files: "limits"},
	"cluster":        {commit: changeCommit, files: "limits"},
	"peering":        {commit: changeCommit, files: "limits"},
	"broken":         {commit: changeCommit, files: "broken"},
	"runner/dies":    {commit: changeCommit, fault: testrunner.DieBeforeReport},
	"runner/hangs":   {commit: changeCommit, fault: testrunner.WaitForEnd},
	"runner/lies":    {commit: changeCommit, fault: testrunner.ReportNonsense},
	"runner/hook":    {commit: changeCommit, fault: testrunner.FailHook},
	"runner/repeats": {commit: changeCommit, fault: testrunner.Repeat},
}

func commits() map[string]string {
	all := make(map[string]string, len(branches))
	for name, b := range branches {
		all[name] = b.commit
	}
	return all
}

// maxJobs is how many CI jobs run at the same time. The others wait.
const maxJobs = 4

// ci runs the CI jobs of both hosts.
type ci struct {
	config  Config
	context context.Context // ends with the hosts
	free    chan struct{}
	jobs    sync.WaitGroup

	mu sync.Mutex // of the functions that cancel jobs
}

// host is what differs between the CI of GitHub and that of GitLab.
type host struct {
	*vcstest.CI
	gitlab bool
	// running and the others are the status and the conclusion of a run, in the host's words.
	running, succeeded, failed, cancelled progress
	// deliver sends what the host's webhooks say about the end of a run.
	deliver func(ctx context.Context, run vcstest.CIRun, ended string) error
}

// progress is how far a run is: GitHub's status and conclusion, GitLab's status.
type progress struct{ status, conclusion string }

// word is the host's word for how a run ended.
func (p progress) word() string { return cmp.Or(p.conclusion, p.status) }

// attach makes the CI of a host run jobs.
func (c *ci) attach(h host) {
	cancels := map[int64]context.CancelFunc{}
	h.OnStart = func(run vcstest.CIRun) {
		ctx, cancel := context.WithCancel(c.context)
		c.mu.Lock()
		cancels[run.ID] = cancel
		c.mu.Unlock()
		c.jobs.Go(func() {
			defer cancel()
			c.work(ctx, h, run)
		})
	}
	h.OnCancel = func(run vcstest.CIRun) {
		c.mu.Lock()
		defer c.mu.Unlock()
		cancels[run.ID]()
	}
}

// work runs the job of a CI run when there is room for it.
func (c *ci) work(ctx context.Context, h host, run vcstest.CIRun) {
	select {
	case c.free <- struct{}{}:
		defer func() { <-c.free }()
	case <-ctx.Done():
	}
	log := c.config.Log()
	defer func() { _ = log.Close() }()
	_, _ = fmt.Fprintf(log, "CI run %d of %s begins on the branch %s\n", run.ID, run.Repository, run.Branch)
	var err error
	if err = ctx.Err(); err == nil {
		h.Set(run.ID, h.running.status, h.running.conclusion)
		err = c.job(ctx, h, run, log)
	}
	if c.context.Err() != nil {
		return // the hosts end
	}
	ended := h.succeeded
	switch {
	case ctx.Err() != nil:
		ended = h.cancelled
	case err != nil:
		ended = h.failed
	}
	h.Set(run.ID, ended.status, ended.conclusion)
	_, _ = fmt.Fprintf(log, "CI run %d of %s: %s%s\n", run.ID, run.Repository, ended.word(), because(err))
	if err := h.deliver(c.context, run, ended.word()); err != nil && c.context.Err() == nil {
		_, _ = fmt.Fprintf(log, "CI run %d: its end could not be delivered: %v\n", run.ID, err)
	}
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// job checks the branch out and starts the runner.
func (c *ci) job(ctx context.Context, h host, run vcstest.CIRun, log io.Writer) error {
	at := branches[run.Branch]
	checkout, err := os.MkdirTemp("", "opsplane-checkout-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(checkout) }()
	if err := checkOut(checkout, at); err != nil {
		return err
	}
	j := testrunner.Job{
		Checkout: checkout, Commit: at.commit, GitLab: h.gitlab, Fault: at.fault, Log: log,
		States: filepath.Join(c.config.States, h.name(), filepath.FromSlash(run.Repository)),
	}
	if h.gitlab {
		j.WorkToken, j.APIBaseURL, j.CIRun = text(run, "WORK_TOKEN"), text(run, "API_BASE_URL"), jobOf(run)
		j.Env = []string{"CI_JOB_ID=" + j.CIRun, "CI_COMMIT_SHA=" + at.commit}
	} else {
		j.WorkToken, j.APIBaseURL, j.CIRun = text(run, "work-token"), text(run, "api-base-url"), strconv.FormatInt(run.ID, 10)
		j.Env = []string{"GITHUB_RUN_ID=" + j.CIRun, "GITHUB_SHA=" + at.commit, "GITHUB_WORKSPACE=" + checkout, "GITHUB_REPOSITORY=" + run.Repository}
	}
	// At GitHub the workflow file sets these (docs/guide-artifacts.md).
	j.Env = append(j.Env, "WORK_TOKEN="+j.WorkToken, "API_BASE_URL="+j.APIBaseURL)
	return j.Run(ctx)
}

func (h host) name() string {
	if h.gitlab {
		return "gitlab"
	}
	return "github"
}

// text returns an input of a run.
func text(run vcstest.CIRun, name string) string {
	value, _ := run.Inputs[name].(string)
	return value
}

// jobOf returns the id of the job of a pipeline.
func jobOf(run vcstest.CIRun) string { return strconv.FormatInt(run.ID*10+1, 10) }

// checkOut writes the files of a branch into a folder.
func checkOut(folder string, at branch) error {
	for _, from := range []string{"main", at.files} {
		if from == "" {
			continue
		}
		files, err := fs.Sub(tree, path.Join("tree", from))
		if err == nil {
			err = overwrite(folder, files)
		}
		if err != nil {
			return fmt.Errorf("check out: %w", err)
		}
	}
	return nil
}

// overwrite copies files over those of a folder.
func overwrite(folder string, files fs.FS) error {
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(folder, filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		text, err := fs.ReadFile(files, name)
		return errors.Join(err, os.WriteFile(to, text, 0o600))
	})
}
