package runstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// HostRun is what the host started for a dispatch.
type HostRun struct {
	// ID is the id of the host's run, if the host said it. GitHub: the workflow run,
	// which is also the id with which the runner asks for its work. GitLab: the
	// pipeline, written in a form that differs from the id of a job.
	ID string
	// URL leads to it. It may be empty.
	URL string
	// Doubt says why it is not known whether the host started anything. It is empty if
	// it is known.
	Doubt string
}

// doubtHold is how long no other run of a repository is claimed after a doubt. A host
// whose responses are lost would put each of them in doubt.
const doubtHold = time.Minute

// firstLook is when the schedule looks first at a dispatched run whose id at the host
// is known (orchestration, 28).
const firstLook = 2 * time.Minute

// Asking records that the holder of a claim is about to ask the host. From then on
// the CI job may have been started, whatever becomes of the claim's holder. It is
// safe to repeat. It returns ErrLost, with the run as it is, if the run has ended or
// was claimed again.
func (s Store) Asking(ctx context.Context, claim run.Run, author change.Author) (run.Run, error) {
	return s.dispatched(ctx, claim, author, func(r *record) ([]table.Write, error) {
		if r.State != run.Queued || !r.Dispatch.AskedAt.IsZero() {
			return nil, errStop
		}
		r.Dispatch.AskedAt = time.UnixMilli(author.At.UnixMilli()).UTC()
		return nil, nil
	})
}

// Dispatched records that the host accepted the dispatch of a claim, or that it may
// have accepted it. Nobody asks the host again. After a doubt, no other run of the
// repository is claimed for a minute. The run stays
// Queued until its runner asks for its work, which may have happened already. It is
// safe to repeat. It returns ErrLost, with the run as it is, if the run has ended or
// was claimed again: then what the host started is not needed.
func (s Store) Dispatched(ctx context.Context, claim run.Run, started HostRun, author change.Author) (run.Run, error) {
	if len(started.ID) > run.MaxText || len(started.URL) > run.MaxText {
		return run.Run{}, fmt.Errorf("the host names its run with %d bytes and an address of %d bytes; at most %d are possible",
			len(started.ID), len(started.URL), run.MaxText)
	}
	return s.dispatched(ctx, claim, author, func(r *record) ([]table.Write, error) {
		if r.Dispatch.Dispatched() {
			return nil, errStop
		}
		r.Dispatch.At, r.Dispatch.ID, r.Dispatch.Problem = time.UnixMilli(author.At.UnixMilli()).UTC(), started.ID, limited(started.Doubt)
		r.Dispatch.FailingSince = time.Time{}
		if r.URL == "" {
			r.URL = started.URL
		}
		if r.State == run.Queued {
			after := s.Limits.Start
			if started.ID != "" {
				after = min(after, firstLook)
			}
			r.dueAt(StartList, author.At.Add(after))
		}
		var writes []table.Write
		if started.Doubt != "" {
			writes = append(writes, s.hold(r.Repository, author.At.Add(doubtHold)))
		}
		if started.ID != "" && started.ID != r.CIRun {
			writes = append(writes, s.link(r, started.ID))
		}
		return writes, nil
	})
}

// DispatchFailed records that the dispatch of a claim failed for a time, and when it
// is to be tried again. The caller knows that the host has started nothing. Until
// then, no other run of the repository is claimed: the host would refuse it too. The
// run stays claimed. It does nothing if the run's runner has asked for its work. It
// returns ErrLost, with the run as it is, if the run has ended or was claimed again.
func (s Store) DispatchFailed(ctx context.Context, claim run.Run, problem string, retry time.Time, author change.Author) (run.Run, error) {
	return s.dispatched(ctx, claim, author, func(r *record) ([]table.Write, error) {
		if r.State != run.Queued || r.Dispatch.Dispatched() {
			return nil, errStop
		}
		r.Dispatch.Problem, r.Dispatch.Lease = limited(problem), time.UnixMilli(retry.UnixMilli()).UTC()
		r.Dispatch.AskedAt = time.Time{}
		if r.Dispatch.FailingSince.IsZero() {
			r.Dispatch.FailingSince = time.UnixMilli(author.At.UnixMilli()).UTC()
		}
		r.dueAt(DispatchList, retry)
		return []table.Write{s.hold(r.Repository, retry)}, nil
	})
}

// limited returns a text for people, cut to the length that is stored.
func limited(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), run.MaxReason)], "")
}

// dispatched makes a transition if the claim is still the last one of its run.
func (s Store) dispatched(ctx context.Context, claim run.Run, author change.Author, decide func(*record) ([]table.Write, error)) (run.Run, error) {
	var found run.Run
	rec, _, err := s.transition(ctx, claim.ID, author, func(r *record) ([]table.Write, error) {
		found = r.Run
		if r.State.Ended() || r.Dispatch.Attempt != claim.Dispatch.Attempt {
			return nil, ErrLost
		}
		return decide(r)
	})
	if err != nil {
		return found, err
	}
	return rec.Run, nil
}
