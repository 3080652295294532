package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// ErrOver says that nothing of a delivery may be processed now: the delivery is
// over or does not exist, another try of it has begun since, or it is not due yet.
var ErrOver = errors.New("nothing of the delivery is to be processed")

// Begin counts a try of a delivery and returns the delivery. The table's stream
// reported its key. Begin returns ErrOver unless the delivery is Received: a parked
// one waits for its next try, however often the stream reports it. The count is
// written before the try. So it shows which delivery kills the worker. The delivery
// is due again after a Lease, so that it does not stay before others.
func (s Store) Begin(ctx context.Context, k Key, now time.Time) (Delivery, error) {
	return s.begin(ctx, k, now, in(Received))
}

// BeginDue does what Begin does, for a key that Due has returned. It returns
// ErrOver unless the delivery is still due.
func (s Store) BeginDue(ctx context.Context, k Key, now time.Time) (Delivery, error) {
	return s.begin(ctx, k, now, in(Received, Parked), s.queue().DueBy(now))
}

func (s Store) begin(ctx context.Context, k Key, now time.Time, conditions ...table.Condition) (Delivery, error) {
	item, err := s.queue().TakeUnread(ctx, table.Change(k.item()).Add(attrBegun, attr.Int(1)).If(conditions...), now)
	if err != nil {
		return Delivery{}, over("begin delivery", err)
	}
	return decode(item)
}

// in returns the condition that a delivery has one of some states.
func in(states ...State) table.Condition {
	values := make([]table.Value, len(states))
	for i, state := range states {
		values[i] = attr.String(string(state))
	}
	return table.In(attrState, values...)
}

// over returns the error of a write: ErrOver if the delivery was not as it had to be.
func over(doing string, err error) error {
	switch {
	case errors.Is(err, queue.ErrLost):
		return ErrOver
	case err != nil:
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// Finish ends a delivery that was begun: as Done, or as Ignored for a reason. It
// returns ErrOver and changes nothing if another try was begun since, or if an
// operator redelivered it. A second call changes nothing.
func (s Store) Finish(ctx context.Context, d Delivery, to State, problem string, now time.Time) error {
	d.State, d.Problem, d.NextTry, d.Applied = to, problem, time.Time{}, 0
	return s.end(ctx, d, now, queue.Place{})
}

// Park ends a try that failed. The delivery is tried again after a pause that
// doubles with each try. After MaxTries it is stuck. Applied is kept for the next
// try. Park returns ErrOver in the same cases as Finish.
func (s Store) Park(ctx context.Context, d Delivery, problem string, now time.Time) (Delivery, error) {
	next, again := backoff.Next(d.Tries, now)
	if !again {
		return s.GiveUp(ctx, d, problem, now)
	}
	d.State, d.Problem, d.NextTry = Parked, problem, next
	return d, s.end(ctx, d, now, queue.At(parked, next))
}

// GiveUp ends a try that failed and would fail each time. The delivery becomes
// stuck, or dismissed if its installation already has MaxStuck stuck ones. GiveUp
// returns ErrOver in the same cases as Finish.
func (s Store) GiveUp(ctx context.Context, d Delivery, problem string, now time.Time) (Delivery, error) {
	lane := d.Key().Lane
	others, err := s.queue().ParkedOf(ctx, stuck, lane)
	if err != nil {
		return d, err
	}
	d.State, d.Problem, d.NextTry = Parked, problem, time.Time{}
	if len(others) >= MaxStuck {
		d.State, d.Problem = Dismissed, problem+fmt.Sprintf("; dismissed, as %d others of its installation are stuck", len(others))
		return d, s.end(ctx, d, now, queue.Place{})
	}
	return d, s.end(ctx, d, now, queue.ParkedAt(stuck, lane, now))
}

// Continue ends a try that stored only a part of the facts. Applied is kept. The
// table's stream wakes the worker for the rest, with as many tries as a new
// delivery has. Continue returns ErrOver in the same cases as Finish.
func (s Store) Continue(ctx context.Context, d Delivery, now time.Time) (Delivery, error) {
	work := d.work()
	d.State, d.Problem, d.NextTry = Received, "", time.Time{}
	// The count of tries begins anew, so this also counts as a redelivery.
	u := table.Change(d.Key().item()).Set(attrState, attr.String(string(Received))).Set(attrApplied, attr.Int(int64(d.Applied))).
		Remove(attrBegun, attrProblem, attrNextTry)
	return d, over("continue delivery", s.queue().Restart(ctx, work, u, received(d.ID, now)))
}

// backoff is how long a delivery that has failed waits before it is tried again.
var backoff = queue.Backoff{First: time.Minute, Most: 6 * time.Hour, Tries: MaxTries}

// end writes the outcome of a try, and the delivery's new place.
func (s Store) end(ctx context.Context, d Delivery, now time.Time, to queue.Place) error {
	u := table.Change(d.Key().item()).Set(attrState, attr.String(string(d.State))).Set(attrProcessedAt, attr.Time(now)).
		Set(attrProblem, attr.String(d.Problem)).Remove(attrBegun).
		SetOrRemove(!d.NextTry.IsZero(), attrNextTry, attr.Int(d.NextTry.UnixMilli())).
		SetOrRemove(d.Applied > 0, attrApplied, attr.Int(int64(d.Applied)))
	return over("end delivery as "+string(d.State), s.queue().Move(ctx, d.work(), u, to))
}
