package run

import (
	"fmt"
	"strings"
	"time"
)

// ReasonCode says why a run was aborted, in a form that programs can compare.
type ReasonCode string

// The codes.
const (
	ByPerson          ReasonCode = "aborted_by_user"
	Unlocked          ReasonCode = "unlocked"
	Superseded        ReasonCode = "superseded"
	WrongCommit       ReasonCode = "wrong_commit"
	WorkflowMissing   ReasonCode = "workflow_missing"
	DispatchRefused   ReasonCode = "dispatch_refused"
	BranchMissing     ReasonCode = "branch_missing"
	HostUnavailable   ReasonCode = "host_unavailable"
	NeverStarted      ReasonCode = "never_started"
	NeverReported     ReasonCode = "never_reported"
	JobFailed         ReasonCode = "ci_job_failed"
	JobCancelled      ReasonCode = "ci_job_cancelled"
	JobTimedOut       ReasonCode = "ci_job_timed_out"
	JobNotStarted     ReasonCode = "ci_job_not_started"
	JobWithoutResult  ReasonCode = "ci_job_without_result"
	NotConfigured     ReasonCode = "not_configured"
	ResultRefused     ReasonCode = "result_refused"
	RepositoryRemoved ReasonCode = "repository_removed"
	BranchMoved       ReasonCode = "branch_moved"
	PullRequestClosed ReasonCode = "pull_request_closed"
)

// MaxReason is the largest length of a reason's text, in bytes. A longer message of
// a host is cut.
const MaxReason = 1000

// Reason says why a run was aborted. The functions below make Reasons. The zero
// Reason says nothing.
type Reason struct {
	Code ReasonCode
	// Text says what happened and what a person can do. It is plain text for people.
	Text string
}

func reason(code ReasonCode, format string, args ...any) Reason {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = cut(text, MaxReason/2)
		}
	}
	return Reason{Code: code, Text: cut(fmt.Sprintf(format, args...), MaxReason)}
}

// cut returns the first bytes of a text, without a part of a character at the end.
func cut(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// ReasonByPerson is the reason of a run that a person aborted.
func ReasonByPerson(name string) Reason {
	return reason(ByPerson, "%s aborted the run. Start it again if it is still needed. If an apply was under way, check the state first: it may be locked.", name)
}

// ReasonUnlocked is the reason of a run that an unlock ended.
func ReasonUnlocked(name string) Reason {
	return reason(Unlocked, "Unlocked by %s. Plan again before the next apply.", name)
}

// ReasonSuperseded is the reason of a run in whose place another one was made.
func ReasonSuperseded(by ID) Reason {
	return reason(Superseded, "A newer run took the place of this one. See the run %s.", string(by))
}

// ReasonWrongCommit is the reason of a run whose CI job has another commit than the
// one that the run was made for.
func ReasonWrongCommit(want, got string) Reason {
	return reason(WrongCommit, "The run was made for the commit %s, but the CI job has %s. The branch moved in between. Plan again.", want, got)
}

// ReasonWorkflowMissing is the reason of a run for which the host has no workflow
// file. path is the expected path.
func ReasonWorkflowMissing(path string) Reason {
	return reason(WorkflowMissing, "The repository has no workflow file for runs. Add %s to the default branch and to the branch of this run, then start the run again.", path)
}

// ReasonDispatchRefused is the reason of a run that the host refused to start.
// message is the host's.
func ReasonDispatchRefused(message string) Reason {
	return reason(DispatchRefused, "The host refused to start the run: %s. Correct the workflow file or the settings of the repository, then start the run again.", message)
}

// ReasonNotConfigured is the reason of a run that this server cannot start until its
// operator changes its settings. remedy says what the operator does.
func ReasonNotConfigured(problem, remedy string) Reason {
	return reason(NotConfigured, "This server cannot start runs: %s. Its operator has to act: %s. Then start the run again.", problem, remedy)
}

// ReasonCannotStart is the reason of a run that could not be started, where the cause
// is neither the workflow file nor the branch. remedy may be empty.
func ReasonCannotStart(problem, remedy string) Reason {
	if remedy == "" {
		return reason(DispatchRefused, "The run could not be started: %s. Start the run again when that has changed.", problem)
	}
	return reason(DispatchRefused, "The run could not be started: %s. What to do: %s. Then start the run again.", problem, remedy)
}

// ReasonBranchMissing is the reason of a run whose branch is gone.
func ReasonBranchMissing(branch string) Reason {
	return reason(BranchMissing, "The branch %s does not exist any more. Start the run again on a branch that exists.", branch)
}

// ReasonHostUnavailable is the reason of a run that could not be started because the
// host did not accept requests for some time. problem is that of the last attempt.
func ReasonHostUnavailable(after time.Duration, problem string) Reason {
	return reason(HostUnavailable, "The host was not available for %s: %s. Start the run again when the host works.", after, problem)
}

// ReasonNeverStarted is the reason of a run whose runner did not ask for its work in
// time.
func ReasonNeverStarted(after time.Duration) Reason {
	return reason(NeverStarted, "No runner began the run within %s after the host was asked to start it. Check that the host has a free runner and that the CI job did not fail early, then start the run again.", after)
}

// ReasonMaybeNeverStarted is the reason of a run whose runner did not ask for its work
// in time, where it is not known whether the host started a CI job. problem says why
// it is not known.
func ReasonMaybeNeverStarted(after time.Duration, problem string) Reason {
	return reason(NeverStarted, "No runner began the run within %s. It is not known whether the host started the CI job: %s. Look at the CI jobs of the repository, then start the run again.", after, problem)
}

// ReasonNeverReported is the reason of a run whose runner sent no result in time.
func ReasonNeverReported(after time.Duration) Reason {
	return reason(NeverReported, "The runner sent no result within %s. Read the log of the CI job. If an apply was under way, check the state first: it may be locked. Then start the run again.", after)
}

// ReasonJobFailed is the reason of a run whose CI job failed without a result. url
// leads to the job.
func ReasonJobFailed(url string) Reason {
	return reason(JobFailed, "The CI job failed before it sent a result. Read its log: %s. A merge conflict with the destination branch is a common cause.", url)
}

// ReasonJobCancelled is the reason of a run whose CI job was cancelled at the host.
func ReasonJobCancelled(url string) Reason {
	return reason(JobCancelled, "The CI job was cancelled at the host: %s. Start the run again if it is still needed.", url)
}

// ReasonJobTimedOut is the reason of a run whose CI job reached the host's time
// limit.
func ReasonJobTimedOut(url string) Reason {
	return reason(JobTimedOut, "The CI job reached its time limit: %s. Raise the limit in the workflow file, or run fewer directories at once.", url)
}

// ReasonJobNotStarted is the reason of a run whose CI job the host could not start, or
// skipped.
func ReasonJobNotStarted(url string) Reason {
	return reason(JobNotStarted, "The host did not start the CI job: %s. The workflow file is not valid there, or its conditions leave the job out. Correct it, then start the run again.", url)
}

// ReasonJobWithoutResult is the reason of a run whose CI job ended without failure at
// the host, and without a result here.
func ReasonJobWithoutResult(url string) Reason {
	return reason(JobWithoutResult, "The CI job ended, but it sent no result: %s. Read its log: it may not have called the runner, or the runner could not reach this server. Then start the run again.", url)
}

// ReasonOfJob returns the reason of a run whose CI job ended at the host without a
// result. conclusion is the host's word for how the job ended. url leads to the job.
// If it is empty, the text says so.
func ReasonOfJob(conclusion, url string) Reason {
	if url == "" {
		url = "its address is not known"
	}
	switch conclusion {
	case "success", "neutral":
		return ReasonJobWithoutResult(url)
	case "cancelled", "canceled":
		return ReasonJobCancelled(url)
	case "timed_out":
		return ReasonJobTimedOut(url)
	case "startup_failure", "skipped", "action_required":
		return ReasonJobNotStarted(url)
	default:
		return ReasonJobFailed(url)
	}
}

// ReasonResultRefused is the reason of a run whose result could not be stored.
func ReasonResultRefused(problem string) Reason {
	return reason(ResultRefused, "The result of the runner could not be used: %s. Start the run again.", problem)
}

// ReasonRepositoryRemoved is the reason of a run whose repository was removed.
func ReasonRepositoryRemoved() Reason {
	return reason(RepositoryRemoved, "The repository was removed from this server. Add the repository again to start runs.")
}

// ReasonMoved is the reason of a run whose pull request has a newer commit.
func ReasonMoved(head string) Reason {
	return reason(BranchMoved, "The pull request has the newer commit %s. What is planned for it takes the place of this run.", head)
}

// ReasonClosed is the reason of a run whose pull request was closed.
func ReasonClosed() Reason {
	return reason(PullRequestClosed, "The pull request was closed. Open it again, and plan again, if the run is still needed.")
}
