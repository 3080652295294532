package runindex

import (
	"context"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Run is a run as lists show it.
type Run struct {
	run.Run
	// UnlockedAt is set for a run that is queued or running although an unlock has
	// ended it: the unlock was interrupted before it aborted the run.
	UnlockedAt time.Time
	// Omitted is the number of dirspaces that are left out, because no response could
	// carry them.
	Omitted int
}

// Shown returns the state that the API shows.
func (r Run) Shown() run.State {
	if !r.UnlockedAt.IsZero() {
		return run.Aborted
	}
	return r.State
}

// States of dirspaces. The others are those of runs.
const (
	Success = "success"
	Failure = "failure"
)

// Outcome returns the outcome of the dirspace at a position, and reports whether the
// run has results.
func (r Run) Outcome(position int) (run.Outcome, bool) {
	if r.Result == nil || position >= len(r.Result.Outcomes) {
		return 0, r.Result != nil
	}
	return r.Result.Outcomes[position], true
}

// StateOf returns the state of the dirspace at a position.
func (r Run) StateOf(position int) string {
	o, done := r.Outcome(position)
	switch {
	case !done:
		return string(r.Shown())
	case o.Has(run.Succeeded):
		return Success
	default:
		return Failure
	}
}

// runRow is a run that was read, as a query of the list of runs sees it.
type runRow struct {
	entry
	run *Run
}

var _ runquery.PartialRow = &runRow{}

// Known implements runquery.PartialRow.
func (r *runRow) Known(key string) bool {
	switch key {
	case "dir":
		return r.complete()
	case "workspace":
		return r.complete() || r.entry.Known(key)
	default:
		return true
	}
}

// complete reports whether the run was read with its dirspaces.
func (r *runRow) complete() bool { return len(r.run.Dirspaces) == r.run.DirspaceCount }

// Texts implements runquery.Row.
func (r *runRow) Texts(key string) []string {
	if key == "state" {
		return []string{string(r.run.Shown())}
	}
	if key != "dir" && key != "workspace" || !r.complete() {
		return r.entry.Texts(key)
	}
	list := make([]string, len(r.run.Dirspaces))
	for i, d := range r.run.Dirspaces {
		list[i] = d.Dir
		if key == "workspace" {
			list[i] = d.Workspace
		}
	}
	return list
}

// Number implements runquery.Row.
func (r *runRow) Number(key string) (int64, bool) {
	if key == "duration" {
		return r.run.seconds()
	}
	return r.entry.Number(key)
}

// seconds returns how long the runner worked.
func (r Run) seconds() (int64, bool) {
	if r.StartedAt.IsZero() || r.EndedAt.IsZero() {
		return 0, false
	}
	return int64(r.EndedAt.Sub(r.StartedAt) / time.Second), true
}

// Flag implements runquery.Row. A run has a flag if a plan of one dirspace has it. It does
// not have it if that is known of the plans of all.
func (r *runRow) Flag(key string) (value, ok bool) {
	if r.run.Result == nil || !r.run.Type.IsPlan() {
		return false, false
	}
	all := true
	for _, o := range r.run.Result.Outcomes {
		if o.Planned() && o.Has(flags[key]) {
			return true, true
		}
		all = all && o.Planned()
	}
	return false, all
}

// flags are the bits of the flags of a query.
var flags = map[string]run.Outcome{"has_changes": run.HasChanges, "destroys": run.Destroys}

// load reads the runs of some rows. Rows of runs that are not visible have none.
func (x Index) load(ctx context.Context, rows []entry) (map[run.ID]*Run, error) {
	found := make(map[run.ID]*Run, len(rows))
	var active []run.Run
	for part := range slices.Chunk(rows, table.MaxBatch) {
		ids := make([]run.ID, len(part))
		for i, e := range part {
			ids[i] = e.id
		}
		runs, err := x.runs.Many(ctx, ids)
		if err != nil {
			return nil, err
		}
		for id, r := range runs {
			found[id] = &Run{Run: r}
			if r.State.Active() {
				active = append(active, r)
			}
		}
	}
	unlocks, err := x.runs.Unlocks(ctx, active)
	if err != nil {
		return nil, err
	}
	for id, at := range unlocks {
		found[id].UnlockedAt = at
	}
	return found, nil
}

// complete reads the dirspaces of a run that are in chunks.
func (x Index) complete(ctx context.Context, r *Run) (err error) {
	if len(r.Dirspaces) != r.DirspaceCount {
		r.Dirspaces, err = x.runs.Dirspaces(ctx, r.ID)
	}
	return err
}
