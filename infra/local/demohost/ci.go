package demohost

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/opsplane/opsplane/infra/test/testrunner"
	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// maxJobs is how many CI jobs run at the same time. The others wait.
const maxJobs = 4

// ci runs the CI jobs of both hosts.
type ci struct {
	config  Config
	git     checkouts
	context context.Context // ends with the hosts
	free    chan struct{}
	jobs    sync.WaitGroup

	mu sync.Mutex // of the functions that cancel jobs
}

// host is what differs between the CI of GitHub and that of GitLab.
type host struct {
	*vcstest.CI
	gitlab bool
	// running is the status of a run that works. The others say how a run ended. All are in
	// the host's words.
	running, succeeded, failed, cancelled string
	// end ends the job of a run, and sends the webhook of that.
	end func(run vcstest.CIRun, ended string)
}

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
		h.Set(run.ID, h.running, "")
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
	_, _ = fmt.Fprintf(log, "CI run %d of %s: %s%s\n", run.ID, run.Repository, ended, because(err))
	h.end(run, ended)
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// job checks the commit out and starts the runner.
func (c *ci) job(ctx context.Context, h host, run vcstest.CIRun, log io.Writer) error {
	checkout, err := os.MkdirTemp("", "opsplane-checkout-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(checkout) }()
	if err := c.git[h.name()+"/"+run.Repository].CheckOut(checkout, run.Commit); err != nil {
		return err
	}
	j := testrunner.Job{
		Checkout: checkout, Commit: run.Commit, GitLab: h.gitlab, Fault: faultOf(run.Branch), Log: log,
		States: filepath.Join(c.config.States, h.name(), filepath.FromSlash(run.Repository)),
	}
	if h.gitlab {
		j.WorkToken, j.APIBaseURL, j.CIRun = text(run, "WORK_TOKEN"), text(run, "API_BASE_URL"), strconv.FormatInt(vcstest.JobOf(run), 10)
		j.Env = []string{"CI_JOB_ID=" + j.CIRun, "CI_COMMIT_SHA=" + run.Commit}
	} else {
		j.WorkToken, j.APIBaseURL, j.CIRun = text(run, "work-token"), text(run, "api-base-url"), strconv.FormatInt(run.ID, 10)
		j.Env = []string{"GITHUB_RUN_ID=" + j.CIRun, "GITHUB_SHA=" + run.Commit, "GITHUB_WORKSPACE=" + checkout, "GITHUB_REPOSITORY=" + run.Repository}
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
