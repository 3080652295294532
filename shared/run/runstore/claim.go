package runstore

import (
	"context"
	"errors"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Claim takes the next run of a repository that may be dispatched, and reports
// whether there is one. Call it until there is none. The caller then asks the host to
// start the run's CI job: it calls Asking first, and Dispatched, DispatchFailed or Abort
// afterwards. Until the lease ends, nobody else claims the run. After that, the run
// can be claimed again, with a higher Attempt. If Dispatch.Unknown is true then, an
// earlier claim may have started the CI job.
//
// A run is left out while a claimed or running apply holds one of its dirspaces. A
// claimed run counts as running here until it has ended, whatever becomes of its
// claim. So at most one apply of a dirspace may run. A run that an unlock has ended
// is aborted. Nothing is claimed before the time that DispatchFailed was given.
//
// The run comes without dirspaces that are in chunks.
func (s Store) Claim(ctx context.Context, r vcs.Repository, lease time.Duration, author change.Author) (run.Run, bool, error) {
	for n := range maxTries {
		if err := table.Pause(ctx, n); err != nil {
			return run.Run{}, false, err
		}
		// The count is read before the rows: if another claim is made after it, the
		// transaction fails.
		lane, err := s.counters(ctx, r)
		if err != nil || author.At.Before(lane.hold) {
			return run.Run{}, false, err
		}
		next, err := s.next(ctx, r, author)
		if err != nil || next == nil {
			return run.Run{}, false, err
		}
		rec, err := s.claim(ctx, next, lane.claims, lease, author)
		if !errors.Is(err, errStale) {
			return rec.Run, err == nil, err
		}
	}
	return run.Run{}, false, ErrContended
}

// next returns the run that is to be claimed next, or nil.
func (s Store) next(ctx context.Context, r vcs.Repository, author change.Author) (*Active, error) {
	rows, err := s.Active(ctx, r)
	if err != nil {
		return nil, err
	}
	waiting := candidates(rows, author.At)
	if len(waiting) == 0 {
		return nil, nil
	}
	blocked := held{}
	for _, a := range rows {
		if !a.Blocks() {
			continue
		}
		list, err := s.dirspacesOf(ctx, a)
		if err != nil {
			return nil, err
		}
		blocked.add(a.ID, list)
	}
	unlocks := unlockReader{store: s, repository: r}
	for _, a := range waiting {
		if ended, err := s.endVoid(ctx, &unlocks, a, author); err != nil || ended {
			if err != nil {
				return nil, err
			}
			continue
		}
		if len(blocked) > 0 {
			list, err := s.dirspacesOf(ctx, a)
			if err != nil {
				return nil, err
			}
			if blocked.keepsAway(a.ID, list) {
				continue
			}
		}
		return &a, nil
	}
	return nil, nil
}

// dirspacesOf returns the dirspaces of an active run.
func (s Store) dirspacesOf(ctx context.Context, a Active) ([]run.Dirspace, error) {
	if len(a.Dirspaces) == a.DirspaceCount {
		return a.Dirspaces, nil
	}
	return s.Dirspaces(ctx, a.ID)
}

// claim claims one run. It returns errStale if the run or the claims are not as they
// were read.
func (s Store) claim(ctx context.Context, a *Active, claims int64, lease time.Duration, author change.Author) (record, error) {
	was, err := s.visible(ctx, a.ID)
	if gone(err) {
		return record{}, errStale
	}
	if err != nil {
		return record{}, err
	}
	return s.try(ctx, was, author, func(rec *record) ([]table.Write, error) {
		if rec.State != run.Queued || rec.Dispatch.Attempt != a.Attempt || rec.Dispatch.Dispatched() || !rec.Dispatch.Lease.Equal(a.Lease) {
			return nil, errStale
		}
		until := time.UnixMilli(author.At.Add(lease).UnixMilli()).UTC()
		rec.Dispatch.Attempt, rec.Dispatch.Lease, rec.Dispatch.Problem = a.Attempt+1, until, ""
		rec.dueAt(DispatchList, until)
		return []table.Write{s.countClaim(rec.Repository, claims)}, nil
	})
}
