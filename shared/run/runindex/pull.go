package runindex

import (
	"context"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// The attributes of a row of pull, besides those of each row. So runs on other commits
// are never read.
const (
	attrBase   = "base_ref"
	attrCommit = "branch_ref"
)

// MaxOfPullRequest is the largest number of the newest runs of a pull request that
// OfPullRequest looks at.
const MaxOfPullRequest = 1000

// OfPullRequest returns the completed runs of a pull request on some commits, with
// their dirspaces, in no particular order. base is the commit of the destination
// branch, and commits are those that the runs worked on.
func (x Index) OfPullRequest(ctx context.Context, of vcs.Repository, number int64, base string, commits []string) ([]run.Run, error) {
	var ids []run.ID
	query := table.Query{
		Key:      []table.Condition{table.Equal("pk", attr.String(walk{pull, numbered(of.ID, number)}.partition(of.Installation)))},
		Names:    []string{"sk", attrBase, attrCommit},
		Backward: true, Limit: MaxOfPullRequest,
	}
	for seen := 0; query.Limit > 0; query.Limit = MaxOfPullRequest - seen {
		page, err := x.table.Query(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("walk %s: %w", pull, err)
		}
		for _, item := range page.Items {
			r := attr.Read(item)
			_, id, err := parseSort(r.String("sk"))
			if err == nil {
				err = r.Err()
			}
			if err != nil {
				return nil, fmt.Errorf("decode index row: %w", err)
			}
			if r.String(attrBase) == base && slices.Contains(commits, r.String(attrCommit)) {
				ids = append(ids, id)
			}
		}
		if query.After = page.Next; page.Next == nil {
			break
		}
		seen += len(page.Items)
	}
	var list []run.Run
	for part := range slices.Chunk(ids, table.MaxBatch) {
		runs, err := x.runs.Many(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			if r.Result == nil {
				continue
			}
			shown := Run{Run: r}
			if err := x.complete(ctx, &shown); err != nil {
				return nil, err
			}
			list = append(list, shown.Run)
		}
	}
	return list, nil
}
