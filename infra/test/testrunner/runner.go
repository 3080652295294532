// Package testrunner is a runner: the program in a CI job that asks the server for its
// work, plans or applies with Terraform or OpenTofu, and reports what happened. Tests and
// the local stack use it where a team would use the public runner. It speaks the same
// protocol, and can also do what a runner must not do (Fault).
package testrunner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// Job is a CI job that starts the runner.
type Job struct {
	// APIBaseURL and WorkToken are the inputs of the job: the address of the server with the
	// name of the VCS, and the id of the run.
	APIBaseURL, WorkToken string
	// CIRun is the host's id of the job: GITHUB_RUN_ID or CI_JOB_ID. Commit is what is
	// checked out.
	CIRun, Commit string
	// GitLab says that the job runs at GitLab, where the runner asks for no access token.
	GitLab bool
	// Checkout is the folder of the repository's files.
	Checkout string
	// States is a folder that stands in for a backend: each directory of the repository has
	// its state there. If it is empty, the repository's own backend counts.
	States string
	// Engine plans and applies. Nil stands for what Find returns.
	Engine Engine
	// Env are variables of the job: "NAME=value". Steps see them, and those of this process.
	Env []string
	// Secrets are texts that the runner masks in all that it sends.
	Secrets []string
	// Fault is what the runner does wrong. It may be empty.
	Fault Fault
	// Log is the log of the job. Nil stands for none.
	Log io.Writer
}

// Fault is something that a runner must not do, or that happens to it.
type Fault string

// The faults.
const (
	// DieAtStart ends the runner after it has got its work.
	DieAtStart Fault = "die-at-start"
	// DieBeforeReport ends the runner after its work and before its report.
	DieBeforeReport Fault = "die-before-report"
	// WaitForEnd makes the runner wait for its end before it begins its work.
	WaitForEnd Fault = "wait-for-end"
	// FailHook makes the first step of the hooks fail.
	FailHook Fault = "fail-hook"
	// ReportNonsense makes the runner send a report that is no report.
	ReportNonsense Fault = "report-nonsense"
	// ReportForeign adds a step of a directory that the run does not have.
	ReportForeign Fault = "report-foreign"
	// Repeat sends each request twice.
	Repeat Fault = "repeat"
)

// ErrDied says that the runner ended because of its Fault.
var ErrDied = errors.New("the runner died")

const (
	// maxWork is how often a runner asks for work (runner protocol, 1).
	maxWork = 11
	// callTime is the time that an attempt of a request may take (runner protocol, 3).
	callTime = 120 * time.Second
)

// Run does all of the job's work. A nil error is the exit code 0 of the public runner: the
// server has every result, also that of a plan that failed.
func (j Job) Run(ctx context.Context) error {
	j.Log = cmp.Or[io.Writer](j.Log, io.Discard)
	if j.Engine == nil {
		j.Engine = Find()
	}
	j.say("the runner works with %s", j.Engine.Name())
	tmp, err := os.MkdirTemp("", "opsplane-runner-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	for range maxWork {
		s := &session{Job: j, tmp: tmp, http: &http.Client{Timeout: callTime}}
		if err := s.initiate(ctx); err != nil {
			return err
		}
		if s.work.Type == "done" {
			j.say("there is nothing more to do")
			return nil
		}
		if err := s.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (j Job) say(format string, args ...any) { _, _ = fmt.Fprintf(j.Log, format+"\n", args...) }

// session is the work on one manifest.
type session struct {
	Job
	tmp  string // a folder of the runner's own
	http *http.Client
	work manifest
	env  []string // that earlier steps have set
	// githubToken is the newest token of GitHub.
	githubToken string
	report      report
}

// do works on the manifest and reports the result.
func (s *session) do(ctx context.Context) error {
	switch s.Fault {
	case DieAtStart:
		return ErrDied
	case WaitForEnd:
		<-ctx.Done()
	}
	if s.work.Type != plan && s.work.Type != apply {
		return fmt.Errorf("this runner does no work of the type %q", s.work.Type)
	}
	if s.hooks(ctx, "pre", s.work.Config.Hooks.pre(s.work.Type), true) {
		failed := false
		for _, d := range s.work.inOrder() {
			if !s.dirspace(ctx, d) {
				failed = true
			}
		}
		s.hooks(ctx, "post", s.work.Config.Hooks.post(s.work.Type), !failed)
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("the job was ended: %w", ctx.Err())
	case s.Fault == DieBeforeReport:
		return ErrDied
	}
	return s.send(ctx)
}
