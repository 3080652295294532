package runstore

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Completion is the response to a runner that sends results.
type Completion struct {
	// Run is the run as it is now, without dirspaces that are in chunks.
	Run run.Run
	// Repeated says that an earlier request has completed the run. Nothing was
	// changed, whatever the results were.
	Repeated bool
}

// Complete stores the results of a run that is queued or running, and completes it.
// No other change of the run can keep it from that. What the results name must be
// stored before. It returns ErrAborted for a run that was aborted, and
// fault.ErrNotFound for one that is unknown or not visible yet.
func (s Store) Complete(ctx context.Context, id run.ID, result run.Result, author change.Author) (Completion, error) {
	outcomes, err := run.EncodeOutcomes(result.Outcomes)
	if err != nil {
		return Completion{}, fmt.Errorf("complete run: %w", err)
	}
	if len(result.Payload) > run.MaxText || len(result.Gates) > run.MaxText {
		return Completion{}, fmt.Errorf("complete run: the names of its objects have %d and %d bytes; at most %d are possible",
			len(result.Payload), len(result.Gates), run.MaxText)
	}
	failed := error(ErrContended)
	for n := range maxTries {
		if err := table.Pause(ctx, n); err != nil {
			return Completion{}, err
		}
		was, err := s.visible(ctx, id)
		switch {
		case err != nil:
			return Completion{}, err
		case was.State == run.Completed:
			return Completion{Run: was.Run, Repeated: was.request != author.Request}, nil
		case was.State == run.Aborted:
			return Completion{Run: was.Run}, ErrAborted
		case len(outcomes) != was.DirspaceCount:
			return Completion{}, fmt.Errorf("complete run: it has %d dirspaces, but %d outcomes", was.DirspaceCount, len(outcomes))
		}
		rec := was.completed(result, author.At)
		writes := append([]table.Write{s.table().WriteUpdate(completion(rec, author)), s.active(&rec)}, s.remind(was.due, rec.due)...)
		writes = append(writes, runindex.Transition(s.table(), was.Run, rec.Run, author.At, rec.ttl)...)
		err = s.table().Transact(ctx, writes...)
		if err == nil {
			return Completion{Run: rec.Run}, nil
		}
		// The next reading tells a lost response and another writer apart.
		if table.Ambiguous(err) {
			failed = err
		} else if !unmet(err) && !table.Contended(err) {
			return Completion{}, fmt.Errorf("complete run: %w", err)
		}
	}
	return Completion{}, fmt.Errorf("complete run: %w", failed)
}

// completed returns the record as the results leave it.
func (r record) completed(result run.Result, at time.Time) record {
	r.Result = &result
	r.end(run.Completed, at)
	if r.StartedAt.IsZero() {
		r.StartedAt = r.EndedAt
	}
	r.Version++
	return r
}

// completion is the change of the run's own item. It depends on the state alone. The
// reminder may have been moved since it was read. Then one stays, and whoever finds
// it drops it.
func completion(rec record, author change.Author) *table.Edit {
	status := rec.status()
	edit := table.Change(Key(rec.ID)).Count("version", 0, 1).SetAll(author.All()).SetFirst("started_at", status["started_at"]).
		If(table.In("state", attr.String(string(run.Queued)), attr.String(string(run.Running))))
	for _, name := range []string{"state", "ended_at", "outcomes", "success", "steps", "payload", "gates"} {
		if status[name] != nil {
			edit.Set(name, status[name])
		}
	}
	for _, name := range []string{"due_in", "due"} {
		if status[name] != nil {
			edit.Set(name, status[name])
		} else {
			edit.Remove(name)
		}
	}
	return edit
}
