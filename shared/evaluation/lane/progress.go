package lane

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Progress stores Next, Attempted and Tries of a decision, and more in the same
// transaction. It returns ErrLost if another worker has the decision, or if it does not
// exist. An effect that may not be made twice is attempted like this: Progress with
// Attempted, the effect, Progress with the next Next.
func (h *Held) Progress(ctx context.Context, d Decision, more ...table.Write) error {
	edit := h.edit(d).Set(attrNext, attr.Int(int64(d.Next))).Set(attrTries, attr.Int(int64(d.Tries))).
		SetOrRemove(d.Attempted, attrAttempted, attr.Bool(true)).Remove(attrParked, attrFailed)
	if len(more) == 0 {
		return h.lost(d, h.store.table().Update(ctx, edit))
	}
	return h.lost(d, h.store.table().Transact(ctx, append([]table.Write{h.store.table().WriteUpdate(edit)}, more...)...))
}

// Park stores that the next effect of a decision is not made before a time, and returns
// the decision like that. The schedule wakes the lane then.
func (h *Held) Park(ctx context.Context, d Decision, until time.Time) (Decision, error) {
	until = time.UnixMilli(until.UnixMilli()).UTC()
	edit := h.edit(d).Set(attrNext, attr.Int(int64(d.Next))).Set(attrTries, attr.Int(int64(d.Tries))).
		SetOrRemove(d.Attempted, attrAttempted, attr.Bool(true)).Set(attrParked, millis(until)).Set(attrDue, millis(until)).Remove(attrFailed)
	sort := sortDecision + d.ID
	moved := h.store.reminders().Move(reminder(h.repository, sort, d.due), reminder(h.repository, sort, until))
	if err := h.lost(d, h.store.table().Transact(ctx, append([]table.Write{h.store.table().WriteUpdate(edit)}, moved...)...)); err != nil {
		return d, err
	}
	d.Parked, d.due, d.Failed = until, until, 0
	return d, nil
}

// Finish removes a decision that has no effect left, and writes more in the same
// transaction. It is no error if the decision is removed already; then more is not
// written.
func (h *Held) Finish(ctx context.Context, d Decision, more ...table.Write) error {
	sort := sortDecision + d.ID
	err := h.store.table().Transact(ctx, append([]table.Write{
		h.store.table().WriteDelete(key(h.repository, sort), table.Equal(attrHolder, attr.String(h.holder))),
		h.store.reminders().Delete(reminder(h.repository, sort, d.due)),
	}, more...)...)
	if _, failed := table.ConditionFailedAt(err, 0); !failed {
		return h.lost(d, err)
	}
	item, err := h.store.table().Get(ctx, key(h.repository, sort), "pk")
	if err != nil {
		return fmt.Errorf("read decision %s of %s: %w", d.ID, h.repository, err)
	}
	if item != nil {
		return ErrLost
	}
	return nil
}

// edit returns a change of a decision that the caller has.
func (h *Held) edit(d Decision) *table.Edit {
	return table.Change(key(h.repository, sortDecision+d.ID)).If(table.Equal(attrHolder, attr.String(h.holder)))
}

// lost returns ErrLost if the condition of a change of a decision did not hold. In a
// transaction, the change is the first write.
func (h *Held) lost(d Decision, err error) error {
	if err == nil {
		return nil
	}
	_, one := table.ConditionFailed(err)
	_, first := table.ConditionFailedAt(err, 0)
	if one || first {
		return ErrLost
	}
	return fmt.Errorf("change decision %s of %s: %w", d.ID, h.repository, err)
}
