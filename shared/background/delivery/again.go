package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Redeliver makes the worker process a delivery again, whatever its state, with as
// many tries as a new one. It returns fault.ErrNotFound if there is no such
// delivery. The table's stream wakes the worker. The result of a try that is
// running now is ignored.
func (s Store) Redeliver(ctx context.Context, system vcs.VCS, id string, now time.Time) (Delivery, error) {
	d, err := s.Get(ctx, system, id)
	if err != nil {
		return Delivery{}, err
	}
	err = s.revive(ctx, d.ID, now, table.Change(d.Key().item()).If(table.Exists("pk")))
	if errors.Is(err, ErrOver) {
		return Delivery{}, fault.ErrNotFound
	}
	if err != nil {
		return Delivery{}, err
	}
	d.State, d.Problem, d.NextTry = Received, "", time.Time{}
	d.Tries, d.Begun, d.Applied = 0, 0, 0
	d.redelivered++
	return d, nil
}

// again makes the worker process a delivery again that the host has sent a second
// time. It does so only if nothing else would try the delivery again, and if its
// host has caused fewer than MaxRedelivered such repetitions. Repetitions that a
// host caused are counted separately, too. first is the stored first part of the
// body, which has the key of the stored delivery.
func (s Store) again(ctx context.Context, d Delivery, first attr.Item) error {
	r := attr.Read(first)
	key := Key{Lane: r.String(attrLane), Place: r.String(attrPlace)}
	if err := r.Err(); err != nil || key.Lane == "" {
		return fmt.Errorf("decode delivery %s: %w", d.ID, errors.Join(err, errors.New("it does not say where it lies")))
	}
	final := table.Any(table.Every(in(Parked), table.Absent(attrNextTry)), in(Dismissed))
	err := s.revive(ctx, d.ID, d.ReceivedAt, table.Change(key.item()).Count(attrRevived, 0, 1).
		If(final, table.AbsentOr(attrRevived, table.Less(attrRevived, attr.Int(MaxRedelivered)))))
	if errors.Is(err, ErrOver) {
		return nil
	}
	return err
}

// revive gives a delivery the state of a new one; only its time of arrival stays.
// It returns ErrOver if a condition of u does not hold.
func (s Store) revive(ctx context.Context, id string, now time.Time, u *table.Edit) error {
	u.Set(attrState, attr.String(string(Received))).Remove(attrProblem, attrNextTry, attrBegun, attrApplied)
	return over("redeliver", s.queue().Redeliver(ctx, u, received(id, now)))
}

// ErrNotParked is the error for a delivery that cannot be dismissed.
var ErrNotParked = errors.New("the delivery is not parked: only what has failed, and is not being tried, can be dismissed")

// Dismiss closes a parked delivery that nobody is to try again, and keeps its
// problem. by is the principal who dismisses it. The delivery is still listed and
// can be redelivered. Dismiss returns ErrNotParked if the delivery is not parked,
// or was tried since d was read.
func (s Store) Dismiss(ctx context.Context, d Delivery, by string) error {
	u := table.Change(d.Key().item()).Set(attrState, attr.String(string(Dismissed))).
		Set(attrProblem, attr.String(d.Problem+"; dismissed by "+by)).Remove(attrNextTry, attrApplied).If(in(Parked))
	err := over("dismiss delivery", s.queue().Move(ctx, d.work(), u, queue.Place{}))
	if errors.Is(err, ErrOver) {
		return ErrNotParked
	}
	return err
}
