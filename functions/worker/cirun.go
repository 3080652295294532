package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

// endTries is how often the end of a run is tried while other writers change the run.
const endTries = 4

// ciEnded ends the run of a CI job that has ended without success. Nothing happens if no
// run is known by the job: it is not of this server, or the dispatcher has not recorded
// it yet. Then the dispatcher asks the host for the job later.
func (f facts) ciEnded(ctx context.Context, author change.Author, d delivery.Delivery, c *vcsevent.CIEnded) error {
	id := c.Run
	if d.Installation.VCS == vcs.GitLab {
		if id = c.Job; id == "" {
			id = run.PipelineID(c.Run)
		}
	}
	err := runstore.ErrLost
	for n := 0; n < endTries && errors.Is(err, runstore.ErrLost); n++ {
		var r run.Run
		r, err = f.runs.ByCIRun(ctx, d.Installation.Repository(c.Repository), id)
		if errors.Is(err, fault.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if r.Repository.Installation != d.Installation || r.State.Ended() || !worksFor(r, id) {
			return nil
		}
		reason := run.ReasonOfJob(c.Conclusion, cmp.Or(c.URL, r.URL))
		_, _, err = f.runs.Abort(ctx, r.ID, runstore.Abortion{Reason: reason, Version: r.Version}, author)
	}
	if errors.Is(err, fault.ErrNotFound) {
		return nil // it was removed
	}
	return err
}

// worksFor reports whether a job or pipeline is the one that works for a run. The first
// job that asks for the work of a run keeps it: the end of another one says nothing.
func worksFor(r run.Run, id string) bool {
	if r.CIRun == "" || r.CIRun == id {
		return true
	}
	return r.Repository.Installation.VCS == vcs.GitLab && r.Dispatch.ID == id
}
