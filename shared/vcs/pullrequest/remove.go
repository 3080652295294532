package pullrequest

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// maxParallelRemovals is how many pull requests are removed at the same time.
const maxParallelRemovals = 10

// Remove removes the pull requests of a repository whose newest fact has the
// version or an older one. It looks at no more than limit pull requests. It begins
// after a cursor, or with the first one if the cursor is empty. It returns how many
// it looked at, and the cursor after which to continue; the cursor is empty after
// the last one. A second call removes nothing more.
func (s Store) Remove(ctx context.Context, repository vcs.Repository, version vcs.Version, after string, limit int) (seen int, next string, err error) {
	prefix := repository.ID.Sortable() + "#"
	from := prefix
	if after != "" {
		from = after + " " // sorts directly after the cursor
	}
	page, err := s.table().Query(ctx, table.Query{Index: indexByRepository, Limit: limit, Key: []table.Condition{
		of(repository.Installation), table.Between(attrByRepository, attr.String(from), attr.String(prefix+lastPlace)),
	}})
	if err != nil {
		return 0, "", fmt.Errorf("list pull requests of a repository: %w", err)
	}
	if page.Next != nil {
		next = attr.Read(page.Next).String(attrByRepository)
	}
	return len(page.Items), next, s.removeAll(ctx, page.Items, table.AtMost(attrSeen, attr.String(string(version))))
}

// Erase removes pull requests of an installation, of any version: at most limit. It
// returns how many it removed, and whether there may be more.
func (s Store) Erase(ctx context.Context, in vcs.Installation, limit int) (erased int, more bool, err error) {
	page, err := s.table().Query(ctx, table.Query{Key: []table.Condition{of(in)}, Names: []string{"pk", "sk"}, Limit: limit})
	if err != nil {
		return 0, false, fmt.Errorf("list pull requests: %w", err)
	}
	return len(page.Items), page.Next != nil, s.removeAll(ctx, page.Items)
}

// removeAll removes those of the items for which all conditions hold.
func (s Store) removeAll(ctx context.Context, items []attr.Item, conditions ...table.Condition) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxParallelRemovals)
	for _, item := range items {
		group.Go(func() error {
			err := s.table().Delete(ctx, attr.Item{"pk": item["pk"], "sk": item["sk"]}, conditions...)
			if _, failed := table.ConditionFailed(err); err != nil && !failed {
				return fmt.Errorf("remove pull request: %w", err)
			}
			return nil
		})
	}
	return group.Wait()
}
