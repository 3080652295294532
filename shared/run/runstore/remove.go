package runstore

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/erasure"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Before removes what other packages keep of a run outside its partition: index rows
// and objects. It may be called again for one run, and then some of the run's
// dirspaces may be missing.
type Before func(context.Context, run.Run) error

// Remove removes a run and all that hangs on it, after before. A run that is queued
// or running is aborted first. The item is marked with its author before it is
// removed (package erasure). It is safe to repeat, and a repetition continues a
// removal that was interrupted. It is no error if there is no such run.
func (s Store) Remove(ctx context.Context, id run.ID, before Before, author change.Author) error {
	_, _, err := s.Abort(ctx, id, Abortion{Reason: run.ReasonRepositoryRemoved()}, author)
	if err != nil && !gone(err) {
		return err
	}
	if _, err := erasure.Mark(ctx, s.DB, s.Table, Key(id), author); err != nil {
		return err
	}
	rec, err := s.read(ctx, id)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.clear(ctx, rec, before)
}

// RemoveUnfinished removes what is left of a creation that was not finished. It is
// for the entries of CreatingList. It does nothing to a run that was finished, except
// that it drops the entry.
func (s Store) RemoveUnfinished(ctx context.Context, d Due, before Before, author change.Author) error {
	err := s.table().Update(ctx, table.Change(Key(d.ID)).Set(erasure.Attr, attr.Time(author.At)).SetAll(author.All()).
		If(table.Equal("state", attr.String(string(run.Creating)))))
	if _, finished := table.ConditionFailed(err); finished {
		return s.reminders().Drop(ctx, d.reminder)
	}
	if err != nil {
		return fmt.Errorf("mark unfinished run: %w", err)
	}
	rec, err := s.read(ctx, d.ID)
	if gone(err) {
		return s.reminders().Drop(ctx, d.reminder)
	}
	if err != nil {
		return err
	}
	return s.clear(ctx, rec, before)
}

// clear removes a run that is marked: its own item last.
func (s Store) clear(ctx context.Context, rec record, before Before) error {
	if rec.chunks > 0 {
		list, err := s.Dirspaces(ctx, rec.ID)
		if err != nil {
			return err
		}
		rec.Dirspaces = list
	}
	if before != nil {
		if err := before(ctx, rec.Run); err != nil {
			return err
		}
	}
	// The rows of the index go before the chunks, which name some of them.
	if err := s.deleteAll(ctx, runindex.Keys(rec.Run)); err != nil {
		return err
	}
	parts, err := s.table().All(ctx, table.Query{Key: []table.Condition{table.Equal("pk", runPartition(rec.ID)["pk"])}, Names: []string{"pk", "sk"}})
	if err != nil {
		return fmt.Errorf("list parts of a run: %w", err)
	}
	var keys []attr.Item
	for _, key := range parts {
		if attr.Read(key).String("sk") != sortKey {
			keys = append(keys, key)
		}
	}
	if rec.Seq > 0 {
		keys = append(keys, activeKey(rec.Repository, rec.Seq))
	}
	if err := s.deleteAll(ctx, keys); err != nil {
		return err
	}
	for _, id := range []string{rec.CIRun, rec.Dispatch.ID} {
		if err := s.unlink(ctx, rec, id); err != nil {
			return err
		}
	}
	if rec.due.List != "" {
		if err := s.reminders().Drop(ctx, rec.due); err != nil {
			return err
		}
	}
	err = s.table().Delete(ctx, Key(rec.ID), table.Exists(erasure.Attr))
	if _, done := table.ConditionFailed(err); err != nil && !done {
		return fmt.Errorf("remove run: %w", err)
	}
	if rec.Seq == 0 {
		return nil
	}
	// It goes last, because RemoveRepository finds the run by it.
	return s.deleteAll(ctx, []attr.Item{in(history(rec.Repository), sortableSeq(rec.Seq))})
}

// unlink removes the item that leads from what a host started to the run, unless it
// leads to another run by now.
func (s Store) unlink(ctx context.Context, rec record, id string) error {
	if id == "" {
		return nil
	}
	err := s.table().Delete(ctx, linkKey(rec.Repository, id), table.Equal(attrID, attr.String(string(rec.ID))))
	if _, other := table.ConditionFailed(err); err != nil && !other {
		return fmt.Errorf("remove link of a run: %w", err)
	}
	return nil
}

// parallelDeletes is how many items are removed at the same time.
const parallelDeletes = 10

// deleteAll removes items, in no particular order. It is safe to repeat.
func (s Store) deleteAll(ctx context.Context, keys []attr.Item) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelDeletes)
	for _, key := range keys {
		g.Go(func() error { return s.table().Delete(ctx, key) })
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("remove items: %w", err)
	}
	return nil
}
