package standing

import (
	"context"
	"fmt"
	"strings"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// numberDigits is the width of the number of a pull request in a sort key, so that the
// rows of one number are together.
const numberDigits = 19

// ofPull is how the sort keys of the rows of a pull request begin.
func ofPull(number int64) string { return fmt.Sprintf("%0*d%s", numberDigits, number, tab) }

// OfPullRequest reads the newest results that the runs of a pull request have, by
// directory and workspace, strongly consistent. They say whether a plan is valid and
// whether the pull request is applied (orchestration, 12): the caller compares their
// commits with those of the pull request, and their Seq with that of its last unlock.
func (s Store) OfPullRequest(ctx context.Context, r vcs.Repository, number int64) ([]Row, error) {
	items, err := s.Table.All(ctx, table.Query{Key: []table.Condition{
		table.Equal("pk", pullsOf(r)), table.BeginsWith("sk", attr.String(ofPull(number))),
	}})
	if err != nil {
		return nil, fmt.Errorf("read results of a pull request: %w", err)
	}
	rows := make([]Row, len(items))
	for i, item := range items {
		dir, workspace, ok := strings.Cut(attr.Read(item).String("sk")[numberDigits+len(tab):], tab)
		if !ok {
			return nil, fmt.Errorf("a result of the pull request %d of %s has no workspace", number, r)
		}
		if rows[i], err = decodeRow(r.Installation, Place{r.ID, run.Dirspace{Dir: dir, Workspace: workspace}}, item); err != nil {
			return nil, err
		}
	}
	return rows, nil
}
