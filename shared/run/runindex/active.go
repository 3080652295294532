package runindex

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// attrPrincipal is an attribute of a row of active, besides those of each row.
const attrPrincipal = "principal"

// Active counts the runs of an installation that are queued or running: all, and
// those that a principal has started, whatever name they show. It counts at most limit
// of them. It may miss those that were created just before.
func (x Index) Active(ctx context.Context, in vcs.Installation, principal string, limit int) (all, own int, err error) {
	page, err := x.table.Query(ctx, table.Query{
		Key: []table.Condition{table.Equal("pk", attr.String(walk{active, ""}.partition(in)))}, Names: []string{attrPrincipal}, Limit: limit, Eventual: true,
	})
	if err != nil {
		return 0, 0, fmt.Errorf("count active runs: %w", err)
	}
	for _, item := range page.Items {
		if r := attr.Read(item); r.Has(attrPrincipal) && r.String(attrPrincipal) == principal {
			own++
		}
	}
	return page.Read, own, nil
}
