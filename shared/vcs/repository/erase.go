package repository

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/erasure"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// maxParallelErasures is how many repositories are removed at the same time.
const maxParallelErasures = 10

// Erase removes repositories of an installation, in the name of its author, at most
// limit. It also removes those that are gone, because their items still hold data.
// It returns how many it removed, and whether there may be more. A later fact about
// a removed repository makes it known again.
func (s Store) Erase(ctx context.Context, author change.Author, of vcs.Installation, limit int) (erased int, more bool, err error) {
	page, err := s.table().Query(ctx, table.Query{Key: []table.Condition{ofInstallation(of)}, Names: []string{"pk", "sk"}, Limit: limit})
	if err != nil {
		return 0, false, fmt.Errorf("list repositories: %w", err)
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(maxParallelErasures)
	for _, found := range page.Items {
		group.Go(func() error {
			if _, err := erasure.Item(gctx, s.DB, s.Table, attr.Item{"pk": found["pk"], "sk": found["sk"]}, author); err != nil {
				return fmt.Errorf("erase repository: %w", err)
			}
			return nil
		})
	}
	return len(page.Items), page.Next != nil, group.Wait()
}
