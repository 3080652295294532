package runindex

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Active counts the runs of an installation that are queued or running: all, and
// those that show the name of a user. It counts at most limit of them. It may miss
// those that were created just before.
func (x Index) Active(ctx context.Context, in vcs.Installation, user string, limit int) (all, own int, err error) {
	page, err := x.table.Query(ctx, table.Query{
		Key: []table.Condition{table.Equal("pk", attr.String(walk{active, ""}.partition(in)))}, Names: []string{"user"}, Limit: limit, Eventual: true,
	})
	if err != nil {
		return 0, 0, fmt.Errorf("count active runs: %w", err)
	}
	for _, item := range page.Items {
		if r := attr.Read(item); r.Has("user") && r.String("user") == user {
			own++
		}
	}
	return page.Read, own, nil
}
