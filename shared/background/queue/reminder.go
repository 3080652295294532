package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Reminders are the lists of what is due, in a table with the keys pk and sk. A
// reminder is an item of its own: pk is its list, sk is <when, Unix milliseconds,
// 13 digits>#<id>. So one strongly consistent query of the list's first keys finds
// what is due. A scan is never needed.
type Reminders struct {
	// Table is the table of the reminders.
	Table table.Table
	// ID is the name of the attribute that also holds the id.
	ID string
	// Keep is how long a reminder stays after its time if nobody drops it.
	Keep time.Duration
}

// Reminder says that something is due.
type Reminder struct {
	// List is the partition. It holds the work of one kind of worker.
	List string
	// ID names the work that is due. It is unique in the list.
	ID string
	// At is the time at which the work is due. Fractions of a millisecond are cut
	// off.
	At time.Time
}

// key returns the key of a reminder. 13 digits sort as times do until the year
// 2286.
func (r Reminder) key() attr.Item {
	return attr.Item{"pk": attr.String(r.List), "sk": attr.String(millis(r.At) + "#" + r.ID)}
}

func millis(at time.Time) string { return fmt.Sprintf("%013d", at.UnixMilli()) }

// Put returns the write that adds a reminder. It belongs in the transaction that
// makes the owner's item due.
func (s Reminders) Put(r Reminder) table.Write {
	item := r.key()
	item[s.ID], item["ttl"] = attr.String(r.ID), attr.Time(r.At.Add(s.Keep))
	return s.Table.WritePut(item)
}

// Delete returns the write that removes a reminder. It belongs in the transaction
// that ends the owner's item.
func (s Reminders) Delete(r Reminder) table.Write { return s.Table.WriteDelete(r.key()) }

// Move returns the writes that replace one reminder by another. DynamoDB refuses
// two writes of one item in a transaction. So if both reminders have the same time,
// there is only one write.
func (s Reminders) Move(from, to Reminder) []table.Write {
	if from.List == to.List && from.ID == to.ID && from.At.UnixMilli() == to.At.UnixMilli() {
		return []table.Write{s.Put(to)}
	}
	return []table.Write{s.Delete(from), s.Put(to)}
}

// Drop removes a reminder if its item is no longer due, or no longer exists. Such a
// reminder can stay because the table may expire the item before its reminder.
func (s Reminders) Drop(ctx context.Context, r Reminder) error {
	return s.drop(ctx, r.key())
}

func (s Reminders) drop(ctx context.Context, key attr.Item) error {
	if err := s.Table.Delete(ctx, key); err != nil {
		return fmt.Errorf("drop reminder: %w", err)
	}
	return nil
}

// DropAll removes all reminders of an id that are due by now. It is for an item
// that cannot be read, because such an item cannot say when it is due. It reads the
// whole list of what is due.
func (s Reminders) DropAll(ctx context.Context, list, id string, now time.Time) error {
	for page, err := range s.Table.Pages(ctx, query(list, now)) {
		if err != nil {
			return fmt.Errorf("list reminders: %w", err)
		}
		for _, item := range page.Items {
			if attr.Read(item).String(s.ID) != id {
				continue
			}
			if err := s.drop(ctx, attr.Item{"pk": item["pk"], "sk": item["sk"]}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Limits of one read of what is due.
const (
	// maxDuePages is the maximum number of pages that are read, of as many reminders
	// each as are wanted. More than one is needed only where some cannot be decoded.
	maxDuePages = 10
	// maxBadNamed is the maximum number of reminders that cannot be decoded that an
	// error names.
	maxBadNamed = 10
)

// Due returns the reminders of a list that are due by now, at most limit of them;
// none if limit is less than 1. Those that have waited longest come first. If some
// reminders cannot be decoded, Due returns the others, and an error that names the
// keys of the first ten bad ones and says how many there are. So one bad item does
// not hold up the work of a whole list. Due reads at most ten pages of limit
// reminders. So ten times as many bad ones as limit hide those after them, until
// they expire.
func (s Reminders) Due(ctx context.Context, list string, now time.Time, limit int) ([]Reminder, error) {
	if limit < 1 {
		return nil, nil
	}
	q := query(list, now)
	q.Limit = limit
	var due []Reminder
	var bad undecoded
	pages := 0
	for page, err := range s.Table.Pages(ctx, q) {
		if err != nil {
			return due, errors.Join(bad.err(), fmt.Errorf("list reminders: %w", err))
		}
		for _, item := range page.Items {
			r, err := s.decode(list, item)
			if err != nil {
				bad.add(err)
				continue
			}
			if due = append(due, r); len(due) == limit {
				return due, bad.err()
			}
		}
		if pages++; pages == maxDuePages {
			break
		}
	}
	return due, bad.err()
}

// undecoded collects the errors of reminders that cannot be decoded.
type undecoded struct {
	first []error
	total int
}

func (u *undecoded) add(err error) {
	if u.total++; u.total <= maxBadNamed {
		u.first = append(u.first, err)
	}
}

// err returns nil if there are none.
func (u *undecoded) err() error {
	if u.total <= maxBadNamed {
		return errors.Join(u.first...)
	}
	return fmt.Errorf("%d reminders cannot be decoded, the first %d of them: %w", u.total, maxBadNamed, errors.Join(u.first...))
}

func query(list string, now time.Time) table.Query {
	end := attr.String(millis(now.Add(time.Millisecond)))
	return table.Query{Key: []table.Condition{table.Equal("pk", attr.String(list)), table.Less("sk", end)}}
}

func (s Reminders) decode(list string, item attr.Item) (Reminder, error) {
	r := attr.Read(item)
	sk := r.String("sk")
	at, _, _ := strings.Cut(sk, "#")
	ms, err := strconv.ParseInt(at, 10, 64)
	found := Reminder{List: list, ID: r.String(s.ID), At: time.UnixMilli(ms).UTC()}
	if err == nil && found.ID == "" {
		err = fmt.Errorf("it has no attribute %s", s.ID)
	}
	if err := errors.Join(err, r.Err()); err != nil {
		return Reminder{}, fmt.Errorf("decode reminder %q %q: %w", list, sk, err)
	}
	return found, nil
}
