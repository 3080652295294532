package runindex

import (
	"context"
	"fmt"
	"iter"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// maxAlike is how many rows Alike looks at.
const maxAlike = 1000

// Alike yields runs of a type that belong to the same repository and the same pull
// request as another one, or are of its other kind on its branch. The newest come
// first, by the second of their creation. They come without dirspaces that are in
// chunks. It looks at no more than 1,000 rows of the pull request or the branch.
func (x Index) Alike(ctx context.Context, like run.Spec, of run.Type) iter.Seq2[run.Run, error] {
	w := walk{branch, like.Source.Branch}
	if like.Kind.Name == run.PullRequest {
		w = walk{pull, numbered(like.Repository.ID, like.Kind.Number)}
	}
	rows := x.open(w.partition(like.Repository.Installation), w, seconds(0, maxSecond, true), minRead)
	return func(yield func(run.Run, error) bool) {
		for looked := 0; looked < maxAlike; {
			var part []entry
			for len(part) < minRead && looked < maxAlike {
				e, err := rows.head(ctx)
				if err != nil {
					yield(run.Run{}, err)
					return
				}
				if e == nil {
					looked = maxAlike
					break
				}
				if looked++; e.kind == like.Kind.Name && e.typed.Shown() == of.Shown() {
					part = append(part, *e)
				}
				rows.rows = rows.rows[1:]
			}
			found, err := x.load(ctx, part)
			if err != nil {
				yield(run.Run{}, err)
				return
			}
			for _, e := range part {
				if r := found[e.id]; r != nil && r.Repository == like.Repository && !yield(r.Run, nil) {
					return
				}
			}
		}
	}
}

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
