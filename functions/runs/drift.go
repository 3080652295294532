package main

import (
	"context"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

// driftRow is a run that looks for drift.
type driftRow struct {
	CompletedAt    string    `json:"completed_at,omitempty"`
	CreatedAt      string    `json:"created_at"`
	ID             run.ID    `json:"id"`
	InstallationID vcs.ID    `json:"installation_id"`
	Name           string    `json:"name"`
	Owner          string    `json:"owner"`
	RepoID         vcs.ID    `json:"repo_id"`
	RunType        run.Type  `json:"run_type"`
	State          run.State `json:"state"`
	// Unlocked says that the drift of the repository was never unlocked, or after the
	// run was created. The name is that of the contract.
	Unlocked bool    `json:"unlocked"`
	VCS      vcs.VCS `json:"vcs"`
}

func decodeDrifts(r *http.Request) (runListing, error) {
	page, err := paging.Decode(r, runsShape)
	if err != nil {
		return runListing{}, err
	}
	return placed(listing{page: page, descending: true})
}

// listDrifts returns the runs that look for drift, of all installations that the token
// reaches, the newest first.
func (r *runs) listDrifts(ctx context.Context, call httpapi.Call, l runListing) (paging.Results[driftRow], error) {
	if call.Caller.Partial {
		return paging.Results[driftRow]{}, fault.Invalidf("TOO_MANY_INSTALLATIONS", "the token reaches more than 100 installations: use a key that is restricted to a VCS or to some installations")
	}
	found, err := r.index.Drifts(ctx, call.Caller.Memberships, requestOf(l.listing, l.from))
	if err != nil {
		return paging.Results[driftRow]{}, err
	}
	unlocks, err := r.driftUnlocks(ctx, found.Rows)
	if err != nil {
		return paging.Results[driftRow]{}, err
	}
	var on []string
	if found.On != nil {
		on = cursorOf(*found.On)
	}
	page := paging.Part(l.page, found.Rows, on, func(r runindex.Run) []string { return cursorOf(runindex.PlaceOf(r.Run)) })
	return paging.Map(page, func(r runindex.Run) driftRow {
		u := unlocks[r.Repository]
		return driftRow{
			CompletedAt: timestamp.Format(r.EndedAt), CreatedAt: timestamp.Format(r.CreatedAt), ID: r.ID, InstallationID: r.Repository.Installation.ID,
			Name: r.Name, Owner: r.Owner, RepoID: r.Repository.ID, RunType: r.Type.Shown(), State: r.Shown(),
			Unlocked: u == runstore.Unlocked{} || u.Ends(r.Seq), VCS: r.Repository.Installation.VCS,
		}
	}), nil
}

// parallelReads is the number of unlocks that are read at the same time.
const parallelReads = 10

// driftUnlocks reads the last unlock of the drift of each repository.
func (r *runs) driftUnlocks(ctx context.Context, list []runindex.Run) (map[vcs.Repository]runstore.Unlocked, error) {
	found := map[vcs.Repository]*runstore.Unlocked{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelReads)
	for _, one := range list {
		if found[one.Repository] != nil {
			continue
		}
		into := new(runstore.Unlocked)
		found[one.Repository] = into
		g.Go(func() (err error) {
			*into, err = r.store.Unlocked(ctx, one.Repository, run.OriginOfDrift)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	unlocks := map[vcs.Repository]runstore.Unlocked{}
	for of, u := range found {
		unlocks[of] = *u
	}
	return unlocks, nil
}
