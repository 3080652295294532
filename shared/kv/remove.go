package kv

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// emptyHead is how long the head of a key without rows is kept. It must be longer
// than any request, so that the head still exists for every writer that has read
// it. A week also leaves time to read who removed the rows.
const emptyHead = 7 * 24 * time.Hour

// rowWriters is how many rows a removal row by row handles at the same time.
const rowWriters = 16

// Delete removes one row or, if the target has no idx, every row of the key. With a
// version, it removes only rows at that version. Rows stay if the caller lacks one
// of their write capabilities. Delete reports whether it removed any row.
//
// If the target has no idx, version is nil, and the caller may write every row of
// the key, one conditional write removes all rows. Then false means that the key
// had no row at one moment during the call. Otherwise the rows are removed one by
// one: each removal is atomic, but all of them together are not.
func (s *Store) Delete(ctx context.Context, by Caller, target Target, version *int) (bool, error) {
	if err := checkRow(target.Key, target.Idx); err != nil {
		return false, err
	}
	d := removal{Store: s, Caller: by, key: target.Key, version: version}
	switch {
	case target.Idx == nil:
		return d.all(ctx)
	case *target.Idx == 0:
		removed, _, err := d.cell(ctx, headKey(by.Installation, target.Key), inHead)
		return removed, err
	}
	h, ok, err := s.getHead(ctx, by.Installation, target.Key)
	if err != nil || !ok || !h.more {
		return false, err
	}
	removed, _, err := d.cell(ctx, rowKey(by.Installation, h.generation, *target.Idx), inRow)
	return removed, err
}

// where says where a removed cell lies.
type where int

const (
	inRow  where = iota // an item of its own
	inHead              // idx 0, whatever rows the key has besides
	alone               // idx 0, as the only row of the key
)

// removal is one delete.
type removal struct {
	*Store
	Caller
	key     string
	version *int
	force   bool // remove also rows that the caller may not write
}

// matches reports whether the removal applies to the cell.
func (d removal) matches(c cell) bool {
	return c.exists() && (d.version == nil || *c.version == *d.version) && (d.force || allowed(c.writeCaps, d.Capabilities))
}

// erase returns the edit that removes everything of the cell with a key but its
// revision, stamp and author.
func (d removal) erase(key attr.Item) *table.Edit {
	e := newEdit(key, d.Author)
	nextRevision(e)
	return e.Set(kvitem.Stamp, attr.String(d.Author.Request)).
		Remove(
			kvitem.Version, kvitem.Committed, kvitem.ReadCaps, kvitem.WriteCaps, kvitem.Size, kvitem.Weight, kvitem.WrittenAt,
			kvitem.Value, kvitem.Object, kvitem.ObjectHash, kvitem.ETag, kvitem.KeyName,
		)
}

// expire makes DynamoDB remove the head after emptyHead, unless it is written
// again.
func (d removal) expire(e *table.Edit) { e.Set("ttl", attr.Time(d.Author.At.Add(emptyHead))) }

// cell removes one cell. The first try guesses what the cell is. Each later try is
// conditional on the revision that the failed try returned. A cell that shall be
// removed as the only row stays if the key may have other rows; then more is true.
func (d removal) cell(ctx context.Context, key attr.Item, place where) (removed, more bool, err error) {
	e := d.erase(key).If(table.Exists(kvitem.Version), table.Absent(kvitem.WriteCaps))
	if d.version != nil {
		e.If(table.Equal(kvitem.Version, attr.Int(int64(*d.version))))
	}
	if place != inRow {
		e.If(table.Absent(kvitem.More))
		d.expire(e)
	}
	var exact *cell // the cell that was read; e is conditional on its revision
	for range table.Tries(ctx, tries) {
		out, err := d.update(ctx, key, e)
		if err != nil || out.done {
			return out.done, false, err
		}
		old, err := decodeHead(out.item)
		if err != nil {
			return false, false, err
		}
		switch {
		case !old.exists() && old.stamp == d.Author.Request:
			return true, false, nil
		case out.unknown(exact, old.cell, d.Author):
			return false, false, errUnknown
		case place == alone && old.more:
			return false, true, nil
		case !d.matches(old.cell):
			return false, false, nil
		}
		exact = &old.cell
		e = d.erase(key).If(atRevision(old.cell))
		if place != inRow && !old.more {
			e.If(table.Absent(kvitem.More))
			d.expire(e)
		}
	}
	return false, false, table.GaveUp(ctx, errContended)
}

// all removes every row.
func (d removal) all(ctx context.Context) (bool, error) {
	used := d.NewBudget()
	lost := "" // the generation that a lost update of this delete may still replace
	for range table.Tries(ctx, tries) {
		h, ok, err := d.getHead(ctx, d.Installation, d.key)
		switch {
		case err != nil || !ok:
			return false, err
		case lost != "" && h.generation != lost && h.publishStamp == d.Author.Request:
			return true, nil // the update was not lost
		case lost != "" && h.generation != lost:
			return false, errUnknown
		}
		budget := d.NewBudget()
		removed, again, unsure, err := d.once(ctx, h, budget)
		if unsure {
			lost = h.generation
		}
		switch {
		case err != nil && lost != "":
			return removed, errors.Join(errUnknown, err)
		case err != nil || removed:
			return removed, err
		case !again && lost != "":
			return false, errUnknown // the lost update may remove rows after this returns
		case !again:
			return false, nil
		}
		if used.charge(budget); used.Spent() {
			break // another try would take too long
		}
	}
	if lost != "" {
		return false, errors.Join(errUnknown, ctx.Err())
	}
	return false, table.GaveUp(ctx, errContended)
}

// once makes one try of all on the head that was read. again reports whether
// another writer came in between. unsure reports whether an update of this try may
// still take effect.
func (d removal) once(ctx context.Context, h head, budget *Budget) (removed, again, unsure bool, err error) {
	switch {
	case !h.more:
		removed, again, err = d.cell(ctx, headKey(d.Installation, d.key), alone)
	case !d.force && (d.version != nil || h.guarded || !allowed(h.writeCaps, d.Capabilities)):
		removed, err = d.each(ctx, h, budget)
	default:
		return d.generation(ctx, h, budget)
	}
	return removed, again, false, err
}

// generation removes all rows by giving the head a new generation. If the key has
// no rows, it changes nothing, unless force is set: removed rows still hold the
// key's name, so with force it replaces the generation then too. again and unsure
// are as in once.
func (d removal) generation(ctx context.Context, h head, budget *Budget) (removed, again, unsure bool, err error) {
	if !d.force {
		found, again, err := d.look(ctx, h, budget)
		if err != nil || !found {
			return false, again, false, err
		}
	}
	if err := d.retire(ctx, h); err != nil {
		return false, false, false, err
	}
	key := headKey(d.Installation, d.key)
	e := d.erase(key).
		Set(kvitem.Generation, attr.String(newGeneration())).
		Set(kvitem.PublishStamp, attr.String(d.Author.Request)).
		Remove(kvitem.More, kvitem.Overlay).
		If(table.Equal(kvitem.Generation, attr.String(h.generation)), atRevision(h.cell))
	if d.force {
		e.Remove(kvitem.Guarded)
	} else {
		e.If(table.Absent(kvitem.Guarded))
	}
	d.expire(e)
	out, err := d.update(ctx, key, e)
	if err != nil || out.done {
		return out.done, false, false, err
	}
	now, err := decodeHead(out.item)
	switch {
	case err != nil:
		return false, false, false, err
	case now.publishStamp == d.Author.Request:
		return true, false, false, nil
	case out.unsure && now.generation != h.generation:
		return false, false, false, errUnknown
	}
	return false, true, out.unsure, nil
}

// retire records that a generation may become garbage, before it does. The
// collector finds this record, compares it with the head, and removes the
// generation's rows. Without the record, nothing would name these rows any more.
func (d removal) retire(ctx context.Context, h head) error {
	it := attr.Item{
		"pk":           attr.String(retiredPrefix + h.generation[:1]),
		"sk":           attr.Bytes([]byte(h.generation)),
		"ns":           attr.String(Stored(d.Installation)),
		kvitem.KeyName: attr.Bytes([]byte(d.key)),
	}
	d.Author.AddTo(it)
	if err := d.table.Put(ctx, it); err != nil {
		return fmt.Errorf("retire generation: %w", err)
	}
	return nil
}

// each removes the matching rows one by one, after it has checked that they are not
// too many.
func (d removal) each(ctx context.Context, h head, budget *Budget) (bool, error) {
	matching, err := d.matching(ctx, h, budget)
	if err != nil {
		return false, err
	}
	var removed atomic.Bool
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(rowWriters)
	for _, idx := range matching {
		key, place := rowKey(d.Installation, h.generation, idx), inRow
		if idx == 0 {
			key, place = headKey(d.Installation, d.key), inHead
		}
		group.Go(func() error {
			done, _, err := d.cell(gctx, key, place)
			if done {
				removed.Store(true)
			}
			return err
		})
		if gctx.Err() != nil {
			break
		}
	}
	err = group.Wait()
	return removed.Load(), err
}
