package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// ErrLost says that an item is not as its caller knew it: somebody else has taken,
// moved or redelivered it, or it does not exist. The write has changed nothing.
var ErrLost = errors.New("another worker has the item, or it was moved")

// Queue holds the rules for the items of one kind, and the names of the attributes
// that give an item its place. The items and their other attributes belong to
// another package, the owner.
type Queue struct {
	// Table is the table of the items.
	Table table.Table
	// Names are the names of the queue's attributes.
	Names Names
	// Reminders are the lists of what is due. If Index is set, they are not used.
	Reminders Reminders
	// Index is the name of the index that has the lists instead, over Names.List and
	// Names.Due.
	Index string
	// Lease is how long an item that a worker has taken is not due. Until then,
	// Take gives the item to no other worker. TakeUnread does so only with the
	// condition DueBy. Without it, the fence protects: what the first worker writes
	// after the second has taken the item is refused.
	Lease time.Duration
}

// Names are the names of the attributes that a queue writes. The others of an item
// belong to its owner. Empty names are not used.
type Names struct {
	// Due holds the time at which the item is due, as a number: see Place. It is
	// absent if the item is outside the queue.
	Due string
	// List holds the list, if an index has the lists.
	List string
	// Tries counts how often the item was taken.
	Tries string
	// Holder holds a random text, the number of a lease. It is absent if no worker
	// has the item.
	Holder string
	// Restarts counts how often the tries began anew. With it, Tries and Restarts
	// together are the number of a lease, and Holder is not used.
	Restarts string
}

// Place is where an item is in its queue: in a list, due at a time. The zero Place
// is outside the queue: the item is done, or waits for somebody to put it back.
type Place struct {
	// List is the list. It holds the work of one kind of worker.
	List string
	// Due sorts within the list. It is a time, in Unix milliseconds.
	Due int64
}

// At returns the place of an item that is due at a time. Fractions of a millisecond
// are cut off.
func At(list string, at time.Time) Place { return Place{List: list, Due: at.UnixMilli()} }

// Work is what a queue knows of an item: as it was read, or as its holder left it.
type Work struct {
	// ID is the id in its reminder. It is not used if an index has the lists.
	ID string
	// Place is where the item is.
	Place Place
	// Tries counts how often it was taken since the tries began.
	Tries int
	// Restarts counts how often the tries began anew.
	Restarts int64

	holder string
}

// Read returns the work of an item that a reader reads. The reader's error says
// whether the queue's attributes could be read.
func (q Queue) Read(id, list string, r *attr.Reader) Work {
	return Work{ID: id, Place: Place{List: list, Due: r.Int(q.Names.Due)}, Tries: int(r.Int(q.Names.Tries))}
}

// DueBy returns the condition that an item is in the queue and due by a time.
func (q Queue) DueBy(now time.Time) table.Condition {
	return table.AtMost(q.Names.Due, attr.Int(now.UnixMilli()))
}

// Add gives a new item a place. It returns the writes that add the item, the first
// of which has the conditions. They belong in one transaction.
func (q Queue) Add(item table.Item, id string, at Place, conditions ...table.Condition) []table.Write {
	item[q.Names.Due] = attr.Int(at.Due)
	if q.Index != "" {
		item[q.Names.List] = attr.String(at.List)
	}
	return append([]table.Write{q.Table.WritePut(item, conditions...)}, q.remind(id, Place{}, at)...)
}

// Take gives an item that was read to the caller, until the lease is over. u is the
// owner's change, made in the same write. Take counts a try. It returns ErrLost if
// the item was taken or moved since it was read.
func (q Queue) Take(ctx context.Context, w Work, u *table.Edit, now time.Time) (Work, error) {
	u.If(table.Equal(q.Names.Due, attr.Int(w.Place.Due)))
	until := At(w.Place.List, now.Add(q.Lease))
	from := w
	w.holder, w.Place = rand.Text(), until
	w.Tries++
	u.Set(q.Names.Holder, attr.String(w.holder)).Set(q.Names.Tries, attr.Int(int64(w.Tries)))
	return w, q.write(ctx, u, from, until)
}

// TakeUnread is Take without a read before. It is for a queue with an Index, whose
// moves are one write. u has the owner's change and the conditions under which the
// caller may have the item. TakeUnread returns the item after the change, or ErrLost
// if a condition does not hold. If the response of the write is lost, the write is
// repeated: the try may be counted twice, which only brings the last try nearer, or
// the item waits until the lease is over.
func (q Queue) TakeUnread(ctx context.Context, u *table.Edit, now time.Time) (table.Item, error) {
	u.Set(q.Names.Due, attr.Int(now.Add(q.Lease).UnixMilli())).Add(q.Names.Tries, attr.Int(1))
	item, err := q.Table.UpdateReturning(ctx, u)
	return item, lost(err)
}

// Save makes the owner's change of an item that the caller holds. The item stays in
// its place. It returns ErrLost if the caller no longer holds the item.
func (q Queue) Save(ctx context.Context, w Work, u *table.Edit) error {
	return lost(q.Table.Update(ctx, u.If(q.held(w)...)))
}

// Move makes the owner's change of an item that the caller holds, and moves the item
// to another place. The lease is over. It returns ErrLost if the caller no longer
// holds the item.
func (q Queue) Move(ctx context.Context, w Work, u *table.Edit, to Place) error {
	if q.Names.Holder != "" {
		u.Remove(q.Names.Holder)
	}
	return q.write(ctx, u.If(q.held(w)...), w, to)
}

// Restart is Move, after which the tries begin anew.
func (q Queue) Restart(ctx context.Context, w Work, u *table.Edit, to Place) error {
	return q.Move(ctx, w, q.anew(u), to)
}

// Redeliver puts an item back into the queue, whoever holds it, and the tries begin
// anew. What an earlier holder writes after that is refused. It is for a queue with
// an Index. u has the owner's change and its conditions. Redeliver returns ErrLost if
// a condition does not hold.
func (q Queue) Redeliver(ctx context.Context, u *table.Edit, to Place) error {
	return q.write(ctx, q.anew(u), Work{}, to)
}

// Withdraw makes the owner's change of an item that was read, whoever holds it, and
// takes it out of the queue. What its holder writes after that is refused. It returns
// ErrLost if the item was taken or moved since it was read. It is for a queue with
// Names.Holder.
func (q Queue) Withdraw(ctx context.Context, w Work, u *table.Edit) error {
	return q.write(ctx, u.Remove(q.Names.Holder).If(table.Equal(q.Names.Due, attr.Int(w.Place.Due))), w, Place{})
}

// anew lets the tries of an item begin anew. If the write is made twice, Restarts
// counts twice, which does no harm: it must only differ from earlier values.
func (q Queue) anew(u *table.Edit) *table.Edit {
	return u.Set(q.Names.Tries, attr.Int(0)).Count(q.Names.Restarts, 0, 1)
}

// held returns the conditions that the caller's lease is the last one.
func (q Queue) held(w Work) []table.Condition {
	if q.Names.Holder != "" {
		return []table.Condition{table.Equal(q.Names.Holder, attr.String(w.holder))}
	}
	restarts := table.Absent(q.Names.Restarts)
	if w.Restarts > 0 {
		restarts = table.Equal(q.Names.Restarts, attr.Int(w.Restarts))
	}
	return []table.Condition{table.Equal(q.Names.Tries, attr.Int(int64(w.Tries))), restarts}
}

// write makes a change of an item and of its place in one step. All conditions are
// those of the change.
func (q Queue) write(ctx context.Context, u *table.Edit, from Work, to Place) error {
	u.SetOrRemove(to != Place{}, q.Names.Due, attr.Int(to.Due))
	if q.Index != "" {
		u.SetOrRemove(to != Place{}, q.Names.List, attr.String(to.List))
		return lost(q.Table.Update(ctx, u))
	}
	return lost(q.Table.Transact(ctx, append([]table.Write{q.Table.WriteUpdate(u)}, q.remind(from.ID, from.Place, to)...)...))
}

// remind returns the writes that move the reminder of an item. There are none if an
// index has the lists.
func (q Queue) remind(id string, from, to Place) []table.Write {
	reminder := func(p Place) Reminder { return Reminder{List: p.List, ID: id, At: time.UnixMilli(p.Due)} }
	switch {
	case q.Index != "":
		return nil
	case from == Place{}:
		return []table.Write{q.Reminders.Put(reminder(to))}
	case to == Place{}:
		return []table.Write{q.Reminders.Delete(reminder(from))}
	}
	return q.Reminders.Move(reminder(from), reminder(to))
}

// lost returns ErrLost if a write's condition did not hold. In a transaction, only
// the first write has conditions.
func lost(err error) error {
	if err == nil {
		return nil
	}
	_, one := table.ConditionFailed(err)
	_, first := table.ConditionFailedAt(err, 0)
	if one || first {
		return ErrLost
	}
	return fmt.Errorf("write queue: %w", err)
}
