// Package parked keeps audit records whose events the bus has not taken, until it takes
// them or an operator decides. Its invariants:
//
//   - A parked record is in exactly one list: of those that are tried again, or of
//     those that wait for an operator. One transaction writes the record and its place.
//   - Whoever works on one has moved its place to the end of a lease. Only the holder of
//     that place can write it afterwards. So a worker that dies leaves it due.
package parked

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Store keeps parked records in OperationsTable, one item each (pk EVENTS#<id of the
// record>, sk EVENTS). Each has a reminder in its list.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of OperationsTable.
	Table string
}

// The lists of parked records.
const (
	// Waiting has those that are tried again.
	Waiting = "EVENTS#DUE"
	// Stuck has those that are not tried again until an operator says so.
	Stuck = "EVENTS#STUCK"
)

// Times of parked records.
const (
	// Keep is how long a record stays parked. After that its events are lost. The audit
	// trail still has the record.
	Keep = 14 * 24 * time.Hour
	// lease is how long a worker has a record that it has taken.
	lease = 5 * time.Minute
)

// retry says when the events of a parked record are sent again: for about twelve hours.
var retry = queue.Backoff{First: time.Minute, Most: time.Hour, Tries: 18}

// Parked is a parked record.
type Parked struct {
	// Record is the audit record.
	Record audit.Record
	// Next is the position of the first event of the record that the bus has not taken.
	Next int
	// Tries counts how often its events were sent without progress.
	Tries int
	// Problem says why the bus did not take the event.
	Problem string
	// At is when it was parked.
	At time.Time
	// Due is when it is tried again. It is zero for one that is stuck.
	Due time.Time

	place queue.Reminder
}

// Names of attributes.
const (
	attrRecord  = "record"
	attrNext    = "next"
	attrTries   = "tries"
	attrProblem = "problem"
	attrAt      = "parked_at"
	attrList    = "list"
	attrDue     = "due" // the time of the reminder, in Unix milliseconds
	attrTTL     = "ttl"
)

// maxProblem is the largest length of a problem, in bytes.
const maxProblem = 1000

func (s Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

func (s Store) reminders() queue.Reminders {
	return queue.Reminders{Table: s.table(), ID: "id", Keep: Keep}
}

const sortKey = "EVENTS"

func key(id string) attr.Item {
	return attr.Item{"pk": attr.String(sortKey + "#" + id), "sk": attr.String(sortKey)}
}

// Park keeps a record of which the events from a position on are to be sent again, from
// due on. It is safe to repeat: a record that is parked already stays as it is.
func (s Store) Park(ctx context.Context, p Parked) error {
	text, err := json.Marshal(p.Record)
	if err != nil {
		return fmt.Errorf("park events: %w", err)
	}
	at := queue.Reminder{List: Waiting, ID: p.Record.ID, At: p.Due}
	item := key(p.Record.ID)
	item[attrRecord], item[attrNext], item[attrTries] = attr.String(string(text)), attr.Int(int64(p.Next)), attr.Int(int64(p.Tries))
	item[attrProblem], item[attrAt], item[attrTTL] = attr.String(limited(p.Problem)), attr.Int(p.At.UnixMilli()), attr.Time(p.At.Add(Keep))
	item[attrList], item[attrDue] = attr.String(at.List), attr.Int(at.At.UnixMilli())
	err = s.table().Transact(ctx, s.table().WritePut(item, table.Absent("pk")), s.reminders().Put(at))
	if _, there := table.ConditionFailedAt(err, 0); there {
		return nil
	}
	if err != nil {
		return fmt.Errorf("park events: %w", err)
	}
	return nil
}

// limited returns a text for people, cut to the length that is stored.
func limited(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxProblem)], "")
}

// Get reads a parked record, strongly consistent. It returns fault.ErrNotFound if there
// is none.
func (s Store) Get(ctx context.Context, id string) (Parked, error) {
	item, err := s.table().Get(ctx, key(id))
	if err != nil {
		return Parked{}, fmt.Errorf("read parked events: %w", err)
	}
	if item == nil {
		return Parked{}, fault.ErrNotFound
	}
	r := attr.Read(item)
	p := Parked{
		Next: int(r.Int(attrNext)), Tries: int(r.Int(attrTries)), Problem: r.String(attrProblem), At: time.UnixMilli(r.Int(attrAt)).UTC(),
		place: queue.Reminder{List: r.String(attrList), ID: id, At: time.UnixMilli(r.Int(attrDue)).UTC()},
	}
	if p.place.List == Waiting {
		p.Due = p.place.At
	}
	if err := errors.Join(r.Err(), json.Unmarshal([]byte(r.String(attrRecord)), &p.Record)); err != nil {
		return Parked{}, fmt.Errorf("decode parked events %s: %w", id, err)
	}
	return p, nil
}

// ErrLost says that another worker has the record, or that it is parked no more.
var ErrLost = errors.New("another worker has the parked events, or they are parked no more")

// Take gives a record that is due to the caller, until its lease is over. It returns
// ErrLost if the record is not due, or if another worker was first. It drops a reminder
// whose record is gone.
func (s Store) Take(ctx context.Context, due queue.Reminder, now time.Time) (Parked, error) {
	p, err := s.Get(ctx, due.ID)
	if errors.Is(err, fault.ErrNotFound) || err == nil && p.place != due {
		return Parked{}, errors.Join(ErrLost, s.reminders().Drop(ctx, due))
	}
	if err != nil {
		return Parked{}, err
	}
	return s.move(ctx, p, queue.Reminder{List: Waiting, ID: due.ID, At: moment(now.Add(lease))})
}

func moment(at time.Time) time.Time { return time.UnixMilli(at.UnixMilli()).UTC() }

// Sent removes a record all of whose events the bus has taken. The caller holds it.
func (s Store) Sent(ctx context.Context, p Parked) error { return s.remove(ctx, p) }

// Failed records that the bus has not taken all events of a record that the caller
// holds: next is the first position that it has not taken. Progress begins the tries
// anew. After the last try the record is stuck. It reports whether it is.
func (s Store) Failed(ctx context.Context, p Parked, next int, problem string, now time.Time) (stuck bool, err error) {
	if p.Tries++; next > p.Next {
		p.Tries = 1
	}
	p.Next, p.Problem = next, limited(problem)
	to := queue.Reminder{List: Waiting, ID: p.Record.ID}
	at, again := retry.Next(p.Tries, now)
	if to.At = moment(at); !again {
		to.List, to.At = Stuck, moment(now)
	}
	_, err = s.move(ctx, p, to)
	return !again, err
}

// Postponed gives back a record that the caller holds and had no time for: it is due at
// once, and no try is counted.
func (s Store) Postponed(ctx context.Context, p Parked, next int, now time.Time) error {
	p.Next = next
	_, err := s.move(ctx, p, queue.Reminder{List: Waiting, ID: p.Record.ID, At: moment(now)})
	return err
}

// Retry makes a record due now, with all its tries, whether it is stuck or waits.
func (s Store) Retry(ctx context.Context, p Parked, now time.Time) error {
	p.Tries = 0
	_, err := s.move(ctx, p, queue.Reminder{List: Waiting, ID: p.Record.ID, At: moment(now)})
	return err
}

// Dismiss removes a record without sending its events.
func (s Store) Dismiss(ctx context.Context, p Parked) error { return s.remove(ctx, p) }

// move writes a record, and moves it from the place at which the caller saw it. The
// place is the fence.
func (s Store) move(ctx context.Context, p Parked, to queue.Reminder) (Parked, error) {
	edit := table.Change(key(p.Record.ID)).Set(attrNext, attr.Int(int64(p.Next))).Set(attrTries, attr.Int(int64(p.Tries))).
		Set(attrProblem, attr.String(p.Problem)).Set(attrList, attr.String(to.List)).Set(attrDue, attr.Int(to.At.UnixMilli())).If(p.seen()...)
	err := s.table().Transact(ctx, append([]table.Write{s.table().WriteUpdate(edit)}, s.reminders().Move(p.place, to)...)...)
	if p.place = to; to.List == Waiting {
		p.Due = to.At
	}
	return p, lost(err)
}

func (s Store) remove(ctx context.Context, p Parked) error {
	return lost(s.table().Transact(ctx, s.table().WriteDelete(key(p.Record.ID), p.seen()...), s.reminders().Delete(p.place)))
}

// seen returns the conditions that a record is in the place at which the caller saw it.
func (p Parked) seen() []table.Condition {
	return []table.Condition{table.Equal(attrList, attr.String(p.place.List)), table.Equal(attrDue, attr.Int(p.place.At.UnixMilli()))}
}

func lost(err error) error {
	if _, failed := table.ConditionFailedAt(err, 0); failed {
		return ErrLost
	}
	if err != nil {
		return fmt.Errorf("write parked events: %w", err)
	}
	return nil
}

// Due returns the reminders of a list that are due by a time, at most limit of them.
// Those that have waited longest come first.
func (s Store) Due(ctx context.Context, list string, by time.Time, limit int) ([]queue.Reminder, error) {
	due, err := s.reminders().Due(ctx, list, by, limit)
	if err != nil {
		return due, fmt.Errorf("list parked events: %w", err)
	}
	return due, nil
}

// List returns parked records for an operator, at most limit: those that are stuck first,
// then those that are tried again, in the order of their times.
func (s Store) List(ctx context.Context, now time.Time, limit int) ([]Parked, error) {
	var found []Parked
	for _, list := range []string{Stuck, Waiting} {
		some, err := s.Due(ctx, list, now.Add(Keep), limit-len(found))
		if err != nil {
			return found, err
		}
		for _, each := range some {
			p, err := s.Get(ctx, each.ID)
			switch {
			case errors.Is(err, fault.ErrNotFound):
			case err != nil:
				return found, err
			default:
				found = append(found, p)
			}
		}
	}
	return found, nil
}
