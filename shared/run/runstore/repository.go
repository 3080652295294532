package runstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// RemoveRepository removes the runs of a repository, at most limit of them, and
// reports whether all are removed. Then it also removes the repository's unlocks. The
// lane's item stays, so that the Seqs go on if the repository comes back: what stands
// where compares them. RemoveRepository removes only runs of the repository's
// installation: a repository that moved between installations keeps the runs and the
// unlocks of the other one. It is safe to repeat. Nobody may create runs of the
// repository meanwhile.
func (s Store) RemoveRepository(ctx context.Context, r vcs.Repository, limit int, before Before, author change.Author) (bool, error) {
	finished, _, err := s.removeRuns(ctx, r, limit, before, author)
	return finished, err
}

// removeRuns does what RemoveRepository says. If it has finished, it also reports
// whether there are runs of another installation.
func (s Store) removeRuns(ctx context.Context, r vcs.Repository, limit int, before Before, author change.Author) (finished, others bool, err error) {
	removed := 0
	for page, err := range s.table().Pages(ctx, table.Query{Key: []table.Condition{table.Equal("pk", history(r)["pk"])}}) {
		if err != nil {
			return false, false, fmt.Errorf("list runs: %w", err)
		}
		for _, item := range page.Items {
			read := attr.Read(item)
			id, sort, installation := run.ID(read.String(attrID)), read.String("sk"), vcs.ID(read.String("installation"))
			if err := read.Err(); err != nil {
				return false, false, fmt.Errorf("decode run of %s: %w", r, err)
			}
			if installation != r.Installation.ID {
				others = true
				continue
			}
			if removed == limit {
				return false, false, nil
			}
			removed++
			if err := s.Remove(ctx, id, before, author); err != nil {
				return false, false, err
			}
			// The run's own item may have expired before its rows.
			if err := s.deleteAll(ctx, []attr.Item{in(lane(r), "ACTIVE#"+sort), in(history(r), sort)}); err != nil {
				return false, false, err
			}
		}
	}
	if others {
		return true, true, nil
	}
	rest, err := s.table().All(ctx, table.Query{Key: []table.Condition{table.Equal("pk", lane(r)["pk"])}, Names: []string{"pk", "sk"}})
	if err != nil {
		return false, false, fmt.Errorf("list unlocks: %w", err)
	}
	rest = slices.DeleteFunc(rest, func(key attr.Item) bool { return attr.Read(key).String("sk") == laneSort })
	return true, false, s.deleteAll(ctx, rest)
}

// removeLane removes the counters of a repository without runs. If other says that there
// are runs of another installation, or if another one has the repository among those with
// runs, the counters stay. The next run of this installation then names the repository
// again.
func (s Store) removeLane(ctx context.Context, r vcs.Repository, other bool) error {
	mine := table.Equal(attrOf, attr.String(string(r.Installation.ID)))
	var err error
	if other {
		err = s.table().Update(ctx, table.Change(laneKey(r)).Remove(attrOf).If(mine))
	} else {
		err = s.table().Delete(ctx, laneKey(r), table.AbsentOr(attrOf, mine))
	}
	if _, kept := table.ConditionFailed(err); err != nil && !kept {
		return fmt.Errorf("remove lane: %w", err)
	}
	return s.deleteAll(ctx, []attr.Item{listedKey(r)})
}

// RemoveInstallation removes the runs of an installation, at most limit of them, and
// reports whether all are removed, with the unlocks and the counters of its repositories.
// It is safe to repeat, and a repetition continues. Nobody may create runs of the
// installation any more.
func (s Store) RemoveInstallation(ctx context.Context, of vcs.Installation, limit int, before Before, author change.Author) (bool, error) {
	query := table.Query{Key: []table.Condition{table.Equal("pk", repositoriesWithRuns(of)["pk"])}, Limit: 1}
	for page, err := range s.table().Pages(ctx, query) {
		if err != nil {
			return false, fmt.Errorf("list repositories with runs: %w", err)
		}
		if len(page.Items) == 0 {
			continue
		}
		read := attr.Read(page.Items[0])
		r := of.Repository(vcs.ID(read.String("sk")))
		if err := read.Err(); err != nil {
			return false, fmt.Errorf("decode repository with runs: %w", err)
		}
		finished, others, err := s.removeRuns(ctx, r, limit, before, author)
		if err != nil || !finished {
			return false, err
		}
		return false, s.removeLane(ctx, r, others) // there may be another repository
	}
	return true, nil
}
