package vcshost

import (
	"errors"
	"strings"
)

// The reasons why a host can start no CI run in a repository. Nothing was started.
var (
	// ErrNoWorkflow says that the repository has no CI configuration that this
	// server could start: GitHub has no workflow file, or the file cannot be
	// dispatched.
	ErrNoWorkflow = errors.New("the repository has no workflow that this server can start")
	// ErrNoBranch says that the branch does not exist (any more).
	ErrNoBranch = errors.New("the branch does not exist")
)

// CIStart describes a CI run to start. The job of the run starts the runner, which
// asks this server for its work.
type CIStart struct {
	// Branch is the branch whose commit is checked out, without "refs/heads/".
	Branch string
	// WorkToken is what the runner shows to get the work of the run.
	WorkToken string
	// APIBaseURL is the address that the runner sends its requests to. It ends with
	// the name of the VCS.
	APIBaseURL string
	// Environment is the name of a deployment environment of GitHub. If it is
	// empty, the input is not sent: a workflow need not declare it.
	Environment string
	// RunsOn are the labels of the machine that runs the job. If it is empty, the
	// input is not sent, and the workflow's default counts.
	RunsOn []string
}

// CIRun is a CI run at a host: a workflow run of GitHub, or a pipeline of GitLab.
type CIRun struct {
	// ID is the host's id, in decimal digits. It is empty if the host did not
	// return it.
	ID string
	// URL is the page of the run, for people. It may be empty.
	URL string
}

// CIStatus is how far a CI run is.
type CIStatus int

// The statuses.
const (
	// CIActive is a run that waits or works.
	CIActive CIStatus = iota
	// CIEnded is a run that has ended by itself, with or without success.
	CIEnded
	// CICancelled is a run that somebody cancelled.
	CICancelled
)

// CIProgress is what a host states about a CI run.
type CIProgress struct {
	CIRun
	// Status is how far the run is.
	Status CIStatus
	// Conclusion is the host's own word for how the run ended, such as "failure" or
	// "timed_out". It is empty while the run is active.
	Conclusion string
}

// PageURL returns an address that a host stated, if it is one of a web page, and the
// empty text otherwise. So a link that is shown to people cannot run a script.
func PageURL(address string) string {
	if strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://") {
		return address
	}
	return ""
}
