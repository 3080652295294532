package runstore

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Active is a run that decisions about its repository must know: it is queued or
// running, or it has ended and its results were not folded in yet.
type Active struct {
	ID         run.ID
	Repository vcs.Repository
	Seq        int64
	Type       run.Type
	Origin     run.Origin
	Source     run.Ref
	CreatedAt  time.Time
	State      run.State
	// Attempt, Lease and Dispatched are those of run.Dispatch.
	Attempt    int
	Lease      time.Time
	Dispatched bool
	// CIRun is the id by which the CI job asked for its work.
	CIRun string
	// Dirspaces is nil where the run has them in chunks: Store.Dirspaces reads
	// these. DirspaceCount is the number in any case.
	Dirspaces     []run.Dirspace
	DirspaceCount int
}

// Blocks reports whether the run keeps others away from its dirspaces: it is an
// apply that is running, or that may be.
func (a Active) Blocks() bool {
	return a.Type.IsApply() && (a.State == run.Running || a.State == run.Queued && a.Attempt > 0)
}

func activeKey(r vcs.Repository, seq int64) attr.Item { return in(lane(r), "ACTIVE#"+sortableSeq(seq)) }

// active returns the write of the run's row. A row stays after the end of a run
// whose end changes what is known about its dirspaces: a completed run, and an apply
// that may have changed something before it was aborted. Folded removes it.
func (s Store) active(r *record) table.Write {
	key := activeKey(r.Repository, r.Seq)
	if r.State == run.Aborted && !(r.Type.IsApply() && r.Dispatch.Claimed()) {
		return s.table().WriteDelete(key)
	}
	item := key
	for name, value := range map[string]string{
		attrID: string(r.ID), "installation": string(r.Repository.Installation.ID), "type": string(r.Type), "origin": string(r.Origin()),
		"branch": r.Source.Branch, "branch_ref": r.Source.Commit, "state": string(r.State), "ci_run": r.CIRun,
	} {
		setText(item, name, value)
	}
	item["created"], item[attrTTL] = attr.Int(r.CreatedAt.UnixNano()), attr.Time(r.ttl)
	setInt(item, "attempt", int64(r.Dispatch.Attempt))
	setMillis(item, "lease", r.Dispatch.Lease)
	setMillis(item, "dispatched_at", r.Dispatch.At)
	setBytes(item, "dirs", r.dirs)
	setInt(item, "dir_count", int64(r.DirspaceCount))
	return s.table().WritePut(item)
}

// Active reads the active runs of a repository, strongly consistent, in the order of
// their creation.
func (s Store) Active(ctx context.Context, r vcs.Repository) ([]Active, error) {
	items, err := s.table().All(ctx, table.Query{Key: []table.Condition{
		table.Equal("pk", lane(r)["pk"]), table.BeginsWith("sk", attr.String("ACTIVE#")),
	}})
	if err != nil {
		return nil, fmt.Errorf("read active runs: %w", err)
	}
	list := make([]Active, len(items))
	for i, item := range items {
		if list[i], err = decodeActive(r, item); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func decodeActive(of vcs.Repository, item attr.Item) (Active, error) {
	r := attr.Read(item)
	var seq int64
	_, err := fmt.Sscanf(r.String("sk"), "ACTIVE#%d", &seq)
	of.Installation.ID = vcs.ID(r.String("installation")) // the one that the run belongs to
	a := Active{
		ID: run.ID(r.String(attrID)), Repository: of, Seq: seq, Type: run.Type(r.String("type")), Origin: run.Origin(r.String("origin")),
		Source: run.Ref{Branch: r.String("branch"), Commit: r.String("branch_ref")}, CreatedAt: time.Unix(0, r.Int("created")).UTC(),
		State: run.State(r.String("state")), Attempt: int(r.Int("attempt")), Lease: millis(r, "lease"), Dispatched: r.Has("dispatched_at"),
		CIRun: r.String("ci_run"), DirspaceCount: int(r.Int("dir_count")),
	}
	if dirs := r.Bytes("dirs"); dirs != nil && err == nil {
		a.Dirspaces, err = decodeDirspaces(dirs)
	}
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		return Active{}, fmt.Errorf("decode active run of %s: %w", of, err)
	}
	return a, nil
}

// Unfolded reports whether a run that has ended still has its row among the active runs
// of its repository, strongly consistent: its results were not folded in yet.
func (s Store) Unfolded(ctx context.Context, r run.Run) (bool, error) {
	item, err := s.table().Get(ctx, activeKey(r.Repository, r.Seq))
	if err != nil {
		return false, fmt.Errorf("read active run: %w", err)
	}
	return item != nil && attr.Read(item).String(attrID) == string(r.ID), nil
}

// Folded removes the row of a run whose results were folded in. It leaves the row of a
// run that has not ended. It is safe to repeat.
func (s Store) Folded(ctx context.Context, r run.Run) error {
	err := s.table().Delete(ctx, activeKey(r.Repository, r.Seq),
		table.Equal(attrID, attr.String(string(r.ID))), table.In("state", attr.String(string(run.Completed)), attr.String(string(run.Aborted))))
	if _, gone := table.ConditionFailed(err); err != nil && !gone {
		return fmt.Errorf("remove active run: %w", err)
	}
	return nil
}
