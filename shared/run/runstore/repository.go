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
		return true, nil
	}
	rest, err := s.table().All(ctx, table.Query{Key: []table.Condition{table.Equal("pk", lane(r)["pk"])}, Names: []string{"pk", "sk"}})
	if err != nil {
		return false, fmt.Errorf("list unlocks: %w", err)
	}
	return true, s.deleteAll(ctx, rest)
}
