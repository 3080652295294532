package runstore

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// RemoveRepository removes the runs of a repository, at most limit of them, and
// reports whether all are removed. Then it also removes the repository's unlocks and
// counters. It removes only runs of the repository's installation: a repository that
// moved between installations keeps the runs, the unlocks and the counters of the
// other one. It is safe to repeat. Nobody may create runs of the repository
// meanwhile.
func (s Store) RemoveRepository(ctx context.Context, r vcs.Repository, limit int, before Before, author change.Author) (bool, error) {
	others, removed := false, 0
	for page, err := range s.table().Pages(ctx, table.Query{Key: []table.Condition{table.Equal("pk", history(r)["pk"])}}) {
		if err != nil {
			return false, fmt.Errorf("list runs: %w", err)
		}
		for _, item := range page.Items {
			read := attr.Read(item)
			id, sort, installation := run.ID(read.String(attrID)), read.String("sk"), vcs.ID(read.String("installation"))
			if err := read.Err(); err != nil {
				return false, fmt.Errorf("decode run of %s: %w", r, err)
			}
			if installation != r.Installation.ID {
				others = true
				continue
			}
			if removed == limit {
				return false, nil
			}
			removed++
			if err := s.Remove(ctx, id, before, author); err != nil {
				return false, err
			}
			// The run's own item may have expired before its rows.
			if err := s.deleteAll(ctx, []attr.Item{in(lane(r), "ACTIVE#"+sort), in(history(r), sort)}); err != nil {
				return false, err
			}
		}
	}
	if others {
		// The next run of this installation names the repository again.
		err := s.table().Update(ctx, table.Change(laneKey(r)).Remove(attrOf).If(table.Equal(attrOf, attr.String(string(r.Installation.ID)))))
		if _, other := table.ConditionFailed(err); err != nil && !other {
			return false, fmt.Errorf("remove installation of a lane: %w", err)
		}
		return true, s.deleteAll(ctx, []attr.Item{listedKey(r)})
	}
	rest, err := s.table().All(ctx, table.Query{Key: []table.Condition{table.Equal("pk", lane(r)["pk"])}, Names: []string{"pk", "sk"}})
	if err != nil {
		return false, fmt.Errorf("list unlocks: %w", err)
	}
	if err := s.deleteAll(ctx, rest); err != nil {
		return false, err
	}
	return true, s.deleteAll(ctx, []attr.Item{listedKey(r)})
}

// RemoveInstallation removes the runs of an installation, at most limit of them, and
// reports whether all are removed. It is safe to repeat, and a repetition continues.
func (s Store) RemoveInstallation(ctx context.Context, of vcs.Installation, limit int, before Before, author change.Author) (bool, error) {
	query := table.Query{Key: []table.Condition{table.Equal("pk", repositoriesWithRuns(of)["pk"])}, Limit: 1}
	for page, err := range s.table().Pages(ctx, query) {
		if err != nil {
			return false, fmt.Errorf("list repositories with runs: %w", err)
		}
		for _, item := range page.Items {
			read := attr.Read(item)
			r := of.Repository(vcs.ID(read.String("sk")))
			if err := read.Err(); err != nil {
				return false, fmt.Errorf("decode repository with runs: %w", err)
			}
			_, err := s.RemoveRepository(ctx, r, limit, before, author)
			return false, err // there may be another repository
		}
	}
	return true, nil
}
