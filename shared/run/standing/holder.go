package standing

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

// parallelReads is how many repositories are read at the same time.
const parallelReads = 8

// holders returns the applies that keep others away from the dirspaces of some rows
// now. Locks between pull requests, which last from an apply to the merge, follow from
// the change sets of pull requests. Whoever keeps these adds their holders here.
func (l Lists) holders(ctx context.Context, rows []Row) (map[Place]*runstore.Active, error) {
	var repositories []vcs.Repository
	for _, row := range rows {
		if !slices.Contains(repositories, row.Repository) {
			repositories = append(repositories, row.Repository)
		}
	}
	lists := make([]map[run.Dirspace]*runstore.Active, len(repositories))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelReads)
	for i, r := range repositories {
		group.Go(func() (err error) {
			lists[i], err = l.held(ctx, r)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	found := map[Place]*runstore.Active{}
	for i, r := range repositories {
		for d, holder := range lists[i] {
			found[Place{r.ID, d}] = holder
		}
	}
	return found, nil
}

// held returns the dirspaces of a repository that an apply holds.
func (l Lists) held(ctx context.Context, r vcs.Repository) (map[run.Dirspace]*runstore.Active, error) {
	active, err := l.Runs.Active(ctx, r)
	if err != nil {
		return nil, err
	}
	held := map[run.Dirspace]*runstore.Active{}
	for _, a := range active {
		if !a.Blocks() || a.Repository != r {
			continue
		}
		list := a.Dirspaces
		if len(list) != a.DirspaceCount {
			if list, err = l.Runs.Dirspaces(ctx, a.ID); err != nil {
				return nil, err
			}
		}
		for _, d := range list {
			held[d] = &a
		}
	}
	return held, nil
}
