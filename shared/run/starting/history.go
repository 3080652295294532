package starting

import (
	"context"
	"iter"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/vcs"
)

// History reads earlier runs for the rules.
type History struct {
	Runs      runstore.Store
	Index     runindex.Index
	PlanStore planstore.Store
	// Standing has the newest apply of each dirspace.
	Standing standing.Store
}

var _ command.History = History{}

// Plans implements command.History.
func (h History) Plans(ctx context.Context, like run.Spec) iter.Seq2[run.Run, error] {
	return h.Index.Plans(ctx, like)
}

// Dirspaces implements command.History.
func (h History) Dirspaces(ctx context.Context, r run.Run) ([]run.Dirspace, error) {
	if len(r.Dirspaces) == r.DirspaceCount {
		return r.Dirspaces, nil
	}
	return h.Runs.Dirspaces(ctx, r.ID)
}

// Void implements command.History.
func (h History) Void(ctx context.Context, like run.Spec) (int64, error) {
	u, err := h.Runs.Unlocked(ctx, like.Repository, like.Origin())
	return u.Seq, err
}

// Applies implements command.History.
func (h History) Applies(ctx context.Context, of vcs.Repository) ([]command.Applying, error) {
	active, err := h.Runs.Active(ctx, of)
	if err != nil {
		return nil, err
	}
	var list []command.Applying
	for _, a := range active {
		// Of an apply that was aborted, the CI run says whether its runner had begun.
		if !a.Type.IsApply() || a.State == run.Aborted && a.CIRun == "" {
			continue
		}
		if len(a.Dirspaces) != a.DirspaceCount {
			if a.Dirspaces, err = h.Runs.Dirspaces(ctx, a.ID); err != nil {
				return nil, err
			}
		}
		list = append(list, command.Applying{ID: a.ID, Seq: a.Seq, Origin: a.Origin, Ended: a.State.Ended(), Dirspaces: a.Dirspaces})
	}
	return list, nil
}

// Recorded implements command.History.
func (h History) Recorded(ctx context.Context, of vcs.Repository, list []run.Dirspace) (map[run.Dirspace]int64, error) {
	return h.Standing.Applied(ctx, of, list)
}

// Stored implements command.History.
func (h History) Stored(ctx context.Context, plan run.ID, now time.Time) (map[run.Dirspace]string, error) {
	plans, err := h.PlanStore.Of(ctx, plan, now)
	stored := make(map[run.Dirspace]string, len(plans))
	for _, p := range plans {
		stored[p.Dirspace] = p.Digest
	}
	return stored, err
}
