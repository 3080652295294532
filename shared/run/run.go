// Package run holds the nouns of runs. A run plans or applies some directories of a
// repository in a CI job of the host; the API calls it a work manifest. The package
// is pure: no I/O, no AWS. Its invariants: a state only moves forward (CanBecome has
// the legal transitions), and each dirspace has exactly one form.
package run

import "time"

// Run is a run: what never changes, and what is known about its progress.
type Run struct {
	Spec
	// Seq is the place of the run in the order of its repository's runs, from 1. No
	// two runs share one. What decides which plan is the newest, and what an unlock
	// ends, compares it. It is 0 while the run is Creating.
	Seq int64
	// CreatedAt is when the run was created. Lists order by its second, then by ID.
	CreatedAt time.Time
	// Version counts the changes of the run's item. A reader can make a write depend
	// on it.
	Version int64
	State   State
	// Dispatch says how the host was asked to start the CI job.
	Dispatch Dispatch
	// CIRun is the id by which the CI job asked for its work. It is empty until then.
	// GitHub: the workflow run. GitLab: the job.
	CIRun string
	// URL leads to the CI job at the host. It may be empty.
	URL string
	// StartedAt is when the CI job asked for its work. EndedAt is when the run
	// completed or was aborted. Both are zero until then, in whole milliseconds.
	StartedAt, EndedAt time.Time
	// Reason says why the run was aborted. It is zero for other runs.
	Reason Reason
	// Result is nil until the run is completed.
	Result *Result
}

// Dispatch is what is known about the attempts to start a run's CI job.
type Dispatch struct {
	// Attempt counts the claims, from 1. It is 0 for a run that was never claimed.
	Attempt int
	// Lease is the time until which the claim's owner alone may ask the host. After
	// it, a run that is not Dispatched can be claimed again.
	Lease time.Time
	// AskedAt is when a worker was about to ask the host. It is zero if the host was
	// not asked, or if it is certain that it started nothing. If it is set and the
	// outcome is not known, the CI job may have been started.
	AskedAt time.Time
	// At is when the host accepted the last attempt, or when it was found that it may
	// have accepted it. It is zero before.
	At time.Time
	// ID is what the host started: on GitHub the workflow run, on GitLab the
	// pipeline. It is empty if the host did not say.
	ID string
	// Problem says why the last attempt failed for a time, or why it is not known
	// whether the host accepted it. It is empty otherwise.
	Problem string
	// FailingSince is when the first of the attempts failed that have failed one
	// after the other. It is zero otherwise.
	FailingSince time.Time
}

// Claimed reports whether the run was claimed: its CI job may have been started. A
// claimed run counts as running where two runs exclude each other.
func (d Dispatch) Claimed() bool { return d.Attempt > 0 }

// Dispatched reports whether the host accepted the last attempt, or may have done so:
// nobody asks the host again.
func (d Dispatch) Dispatched() bool { return !d.At.IsZero() }

// Unknown reports whether the host was asked to start the CI job, and no outcome was
// recorded.
func (d Dispatch) Unknown() bool { return !d.AskedAt.IsZero() && d.At.IsZero() }

// Result is what a completed run has.
type Result struct {
	// Outcomes has one outcome for each dirspace, in the order of the dirspaces.
	Outcomes []Outcome
	// Success says that every step of the run succeeded or may fail, those of hooks
	// included.
	Success bool
	// Steps is the number of steps.
	Steps int
	// Payload is the name of the object that holds the steps' payloads. It is empty
	// if there is none.
	Payload string
	// Gates is the name of the object that holds the gates. It is empty if there is
	// none.
	Gates string
}

// Blocks reports whether the run keeps others away from its dirspaces: it is an
// apply that is running, or that may be.
func (r Run) Blocks() bool {
	return r.Type.IsApply() && (r.State == Running || r.State == Queued && r.Dispatch.Claimed())
}
