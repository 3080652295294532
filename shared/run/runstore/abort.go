package runstore

import (
	"context"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Abortion says why a run is aborted, and under which conditions.
type Abortion struct {
	Reason run.Reason
	// OnlyQueued leaves a run alone that its runner has begun.
	OnlyQueued bool
	// Version leaves a run alone that was changed since it had this Version. 0 means
	// any.
	Version int64
}

// Abort ends a run without results. It reports whether this call did so, and returns
// the run as it is, without dirspaces that are in chunks. A run that has ended stays
// as it is. If a condition of the Abortion does not hold, it returns ErrLost with
// the run. It returns fault.ErrNotFound for a run that is unknown or not visible yet.
func (s Store) Abort(ctx context.Context, id run.ID, a Abortion, author change.Author) (run.Run, bool, error) {
	var found run.Run
	rec, changed, err := s.transition(ctx, id, author, func(r *record) ([]table.Write, error) {
		found = r.Run
		switch {
		case r.State.Ended():
			return nil, errStop
		case a.OnlyQueued && r.State != run.Queued, a.Version != 0 && r.Version != a.Version:
			return nil, ErrLost
		}
		r.Reason = a.Reason
		r.end(run.Aborted, author.At)
		return nil, nil
	})
	if err != nil {
		return found, false, err
	}
	return rec.Run, changed, nil
}
