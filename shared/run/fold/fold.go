// Package fold records what runs did that have ended in what stands where (package
// standing). Then their rows among the active runs of their repository go, so the
// number of active rows is that of runs which have not ended, and of a few that ended a
// moment ago.
//
// Its invariants: a row among the active runs goes after the results are recorded, so
// no reader of both misses them. Everything is safe to repeat, also at the same time.
package fold

import (
	"context"
	"errors"
	"fmt"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
)

// Results are the stored results of runs. output.Store has the method.
type Results interface {
	// Result reads a result. It returns output.ErrExpired if it is gone.
	Result(context.Context, run.ID, run.Result) (*result.Result, error)
}

// Folder folds runs in. It is safe for concurrent use, also by several processes.
type Folder struct {
	Runs     runstore.Store
	Standing standing.Store
	Results  Results
}

// Run folds in a run that has ended. The run may lack dirspaces that are in chunks. It
// does nothing to a run that was folded in already. It makes at most three writes for
// each dirspace.
func (f Folder) Run(ctx context.Context, r run.Run) error {
	open, err := f.Runs.Unfolded(ctx, r)
	if err != nil || !open {
		return err
	}
	counts, err := f.counts(ctx, r)
	if err != nil {
		return err
	}
	if counts {
		if err := f.record(ctx, r); err != nil {
			return fmt.Errorf("fold run %s in: %w", r.ID, err)
		}
	}
	return f.Runs.Folded(ctx, r)
}

// counts reports whether the end of a run changes what stands: a plan that is completed
// and that no unlock has made void, and an apply whose runner has begun. An apply
// counts in any case, because it may have changed infrastructure.
func (f Folder) counts(ctx context.Context, r run.Run) (bool, error) {
	switch {
	case r.Type.IsApply():
		return r.State == run.Completed || !r.StartedAt.IsZero(), nil
	case !r.Type.IsPlan() || r.State != run.Completed:
		return false, nil
	}
	void, err := f.Runs.Unlocks(ctx, []run.Run{r})
	return len(void) == 0, err
}

func (f Folder) record(ctx context.Context, r run.Run) (err error) {
	if len(r.Dirspaces) != r.DirspaceCount {
		if r.Dirspaces, err = f.Runs.Dirspaces(ctx, r.ID); err != nil {
			return err
		}
	}
	var outputs map[run.Dirspace]standing.Outputs
	if r.Type.IsApply() && r.State == run.Completed {
		if outputs, err = f.outputs(ctx, r); err != nil {
			return err
		}
	}
	return f.Standing.Record(ctx, r, outputs, r.CreatedAt.Add(f.Runs.Limits.Keep))
}

// outputs returns the outputs of the dirspaces of an apply. A dirspace that succeeded
// has those that the runner sent, or none. One that failed has those that the runner
// sent before; if it sent none, the outputs of the apply before still stand.
func (f Folder) outputs(ctx context.Context, r run.Run) (map[run.Dirspace]standing.Outputs, error) {
	found, err := f.Results.Result(ctx, r.ID, *r.Result)
	if errors.Is(err, output.ErrExpired) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	outputs := map[run.Dirspace]standing.Outputs{}
	for _, d := range found.Dirspaces {
		if d.Outputs != nil || d.Success {
			outputs[d.Dirspace] = standing.NewOutputs(d.Outputs)
		}
	}
	return outputs, nil
}
