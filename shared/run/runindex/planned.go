package runindex

import (
	"context"
	"fmt"
	"iter"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
)

// ErrTooManyPlans is what Plans yields last, if there may be plans that it did not look at.
var ErrTooManyPlans = fault.Invalidf("TOO_MANY_PLANS", "there are more than %d plans at this commit, and only the newest of them are looked at: "+
	"plan the directories again, then apply", usual.rows)

// plansOf returns the partition of the completed plans of an origin at a commit.
func plansOf(s run.Spec) walk {
	return walk{planned, fmt.Sprintf("%s#%s#%s", s.Repository.ID, s.Origin(), s.Source.Commit)}
}

// Plans yields the completed plans of the same repository and origin as a run, at the same
// commit. The newest come first, by the second of their creation. They come without
// dirspaces that are in chunks. It looks at no more than 1,000 plans. If there are more,
// it yields ErrTooManyPlans after them.
func (x Index) Plans(ctx context.Context, like run.Spec) iter.Seq2[run.Run, error] {
	w := plansOf(like)
	return func(yield func(run.Run, error) bool) {
		rows := x.open(w.partition(like.Repository.Installation), w, seconds(0, maxSecond, true), minRead)
		for looked := 0; ; {
			part, err := rows.take(ctx, min(minRead, x.limits.rows+1-looked))
			if err != nil {
				yield(run.Run{}, err)
				return
			}
			looked += len(part)
			if looked > x.limits.rows {
				yield(run.Run{}, ErrTooManyPlans)
				return
			}
			if len(part) == 0 {
				return
			}
			found, err := x.load(ctx, part)
			if err != nil {
				yield(run.Run{}, err)
				return
			}
			for _, e := range part {
				if r := found[e.id]; r != nil && !yield(r.Run, nil) {
					return
				}
			}
		}
	}
}
