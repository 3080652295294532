package runindex

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Listed is a run of a pull request.
type Listed struct {
	ID   run.ID
	Type run.Type
	// Place is the run's place among those of the pull request.
	Place string
}

// PlaceAfter returns the place after all runs that were created in the second of a time
// or before.
func PlaceAfter(at time.Time) string { return attr.SortSeconds(at) + "#~" }

// OfPull returns the runs of a pull request that come after a place and before another
// one, the oldest first and at most limit of them. after may be empty. Some runs may be
// removed already.
func OfPull(ctx context.Context, t table.Table, of vcs.Repository, number int64, after, before string, limit int) ([]Listed, error) {
	from := "0" // before all places
	if after != "" {
		from = after + "~" // between this place and the next one
	}
	if from > before {
		return nil, nil
	}
	w := walk{pull, numbered(of.ID, number)}
	page, err := t.Query(ctx, table.Query{
		Key:   []table.Condition{table.Equal("pk", attr.String(w.partition(of.Installation))), table.Between("sk", attr.String(from), attr.String(before))},
		Limit: limit, Names: []string{"sk", "type"},
	})
	if err != nil {
		return nil, fmt.Errorf("list runs of a pull request: %w", err)
	}
	list := make([]Listed, len(page.Items))
	for i, item := range page.Items {
		r := attr.Read(item)
		list[i] = Listed{Place: r.String("sk"), Type: run.Type(r.String("type"))}
		if _, list[i].ID, err = parseSort(list[i].Place); err == nil {
			err = r.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("decode run of a pull request: %w", err)
		}
	}
	return list, nil
}
