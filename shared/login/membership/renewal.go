package membership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// RenewalInterval is the time from a host's last response to the next renewal.
const RenewalInterval = time.Hour

// Renewal is the renewal of one person at one VCS.
type Renewal struct {
	// User is the id of the user.
	User string
	// VCS is the VCS at which the person has an account.
	VCS vcs.VCS
	// Due is the time at which the host is asked, in whole milliseconds.
	Due time.Time
	// SeenAt is the time at which the person last logged in or listed
	// installations, in whole seconds. It may be up to an hour too old.
	SeenAt time.Time
	// Tries counts how often the host was asked without success since its last good
	// response.
	Tries int
	// Refused says that the host did not accept the person's grant when it was last
	// asked.
	Refused bool
}

// Renewals stores renewals in OperationsTable: an item for each user and VCS (pk
// RENEWAL#<user id>, sk the VCS), and a reminder (pk RENEWALS#<vcs>, sk <when, Unix
// milliseconds, 13 digits>#<user id>).
type Renewals struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of OperationsTable.
	Table string
}

// ErrMoved says that another worker has moved or ended the renewal, or that its
// person has used the server in the meantime.
var ErrMoved = errors.New("the renewal was moved")

const (
	// seenEvery is how old SeenAt must be before it is written again. So many lists
	// in a short time do not cost a write each.
	seenEvery = time.Hour
	// keep is how long after its due time a renewal stays if no worker moves it,
	// for example because its VCS is no longer configured.
	keep = 90 * 24 * time.Hour
)

func (s Renewals) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

func key(user string, system vcs.VCS) attr.Item {
	return attr.Item{"pk": attr.String("RENEWAL#" + user), "sk": attr.String(string(system))}
}

// reminders returns the lists of renewals that are due, one for each VCS.
func (s Renewals) reminders() queue.Reminders {
	return queue.Reminders{Table: s.table(), ID: "user", Keep: keep}
}

// list returns the partition of the reminders of a VCS.
func list(system vcs.VCS) string { return "RENEWALS#" + string(system) }

// reminder returns the reminder of a person whose host is asked at a time.
func reminder(user string, system vcs.VCS, at time.Time) queue.Reminder {
	return queue.Reminder{List: list(system), ID: user, At: at}
}

// Expect creates the renewal of a person, if there is none. The person uses the
// server now, and the host is asked now. It costs a read. It also costs a write
// once an hour, or if the host has refused the person's grant: if that person logs
// in again, the write stops End from ending the renewal.
func (s Renewals) Expect(ctx context.Context, user string, system vcs.VCS, now time.Time) error {
	known, err := s.Get(ctx, user, system)
	switch {
	case err == nil && now.Sub(known.SeenAt) < seenEvery && !known.Refused:
		return nil
	case err == nil:
		err = s.see(ctx, user, system, now)
		if !errors.Is(err, ErrMoved) {
			return err
		}
	case !errors.Is(err, ErrMoved):
		return err
	}
	due := now.Add(RenewalInterval).Truncate(time.Millisecond)
	item := key(user, system)
	item["due"], item["seen_at"], item["ttl"] = attr.Int(due.UnixMilli()), attr.Time(now), attr.Time(due.Add(keep))
	err = s.transact(ctx, s.table().WritePut(item, table.Absent("pk")), s.reminders().Put(reminder(user, system, due)))
	if errors.Is(err, ErrMoved) {
		return nil // another request of the person was first
	}
	return err
}

func (s Renewals) see(ctx context.Context, user string, system vcs.VCS, now time.Time) error {
	err := s.table().Update(ctx, table.Change(key(user, system)).Set("seen_at", attr.Time(now)).If(table.Exists("pk")))
	if _, gone := table.ConditionFailed(err); gone {
		return ErrMoved
	}
	if err != nil {
		return fmt.Errorf("write renewal: %w", err)
	}
	return nil
}

// Get reads a renewal with a strongly consistent read. It returns ErrMoved if there
// is none.
func (s Renewals) Get(ctx context.Context, user string, system vcs.VCS) (Renewal, error) {
	item, err := s.table().Get(ctx, key(user, system))
	if err != nil {
		return Renewal{}, fmt.Errorf("read renewal: %w", err)
	}
	if len(item) == 0 {
		return Renewal{}, ErrMoved
	}
	read := attr.Read(item)
	r := Renewal{
		User: user, VCS: system, Due: time.UnixMilli(read.Int("due")).UTC(), SeenAt: read.Time("seen_at"),
		Tries: int(read.Int("tries")), Refused: read.Bool("refused"),
	}
	if err := read.Err(); err != nil {
		return Renewal{}, fmt.Errorf("decode renewal: %w", err)
	}
	return r, nil
}

// Reminder says that a renewal is due.
type Reminder struct {
	// User is the id of the user.
	User string
	// At is the time at which it is due.
	At time.Time
}

// Due returns reminders of the people about whom a host is to be asked by now, at
// most limit of them. Those that have waited longest come first. If some reminders
// cannot be decoded, Due returns the others, and an error that names the bad ones.
func (s Renewals) Due(ctx context.Context, system vcs.VCS, now time.Time, limit int) ([]Reminder, error) {
	due, err := s.reminders().Due(ctx, list(system), now, limit)
	found := make([]Reminder, len(due))
	for i, r := range due {
		found[i] = Reminder{User: r.ID, At: r.At}
	}
	if err != nil {
		err = fmt.Errorf("list renewals that are due: %w", err)
	}
	return found, err
}

// Drop removes a reminder that has no renewal. This can happen because the table
// may expire the renewal before its reminder.
func (s Renewals) Drop(ctx context.Context, system vcs.VCS, r Reminder) error {
	return s.reminders().Drop(ctx, reminder(r.User, system, r.At))
}

// Move moves a renewal, as it was read, to another time, and stores its Tries and
// Refused. It returns ErrMoved if the stored renewal has changed or no longer
// exists.
func (s Renewals) Move(ctx context.Context, r Renewal, to time.Time) error {
	to = to.Truncate(time.Millisecond)
	if to.Equal(r.Due) {
		to = to.Add(time.Millisecond) // by the new time other workers see that it was moved
	}
	update := s.table().WriteUpdate(table.Change(key(r.User, r.VCS)).
		Set("due", attr.Int(to.UnixMilli())).Set("tries", attr.Int(int64(r.Tries))).
		Set("refused", attr.Bool(r.Refused)).Set("ttl", attr.Time(to.Add(keep))).
		If(table.Equal("due", attr.Int(r.Due.UnixMilli()))))
	return s.transact(ctx, update, s.reminders().Move(reminder(r.User, r.VCS, r.Due), reminder(r.User, r.VCS, to))...)
}

// End ends a renewal, as it was read. The host is not asked again until the person
// uses the server. It returns ErrMoved if the stored renewal has changed or no
// longer exists, or if the person has used the server in the meantime.
func (s Renewals) End(ctx context.Context, r Renewal) error {
	end := s.table().WriteDelete(key(r.User, r.VCS), table.Equal("due", attr.Int(r.Due.UnixMilli())), table.Equal("seen_at", attr.Time(r.SeenAt)))
	return s.transact(ctx, end, s.reminders().Delete(reminder(r.User, r.VCS, r.Due)))
}

// Cancel ends the renewal of a person, also if it was changed in the meantime. It
// reports whether there was one.
func (s Renewals) Cancel(ctx context.Context, user string, system vcs.VCS) (bool, error) {
	for n := range cancelTries {
		if err := table.Pause(ctx, n); err != nil {
			return false, err
		}
		known, err := s.Get(ctx, user, system)
		if errors.Is(err, ErrMoved) {
			return false, nil
		}
		if err == nil {
			err = s.End(ctx, known)
		}
		if !errors.Is(err, ErrMoved) {
			return err == nil, err
		}
	}
	return false, ErrMoved
}

// cancelTries is how often Cancel tries again when a worker moves the renewal at
// the same time.
const cancelTries = 5

// transact makes the write of a renewal, and those of its reminders. It returns
// ErrMoved if a condition of the first does not hold. The others have none.
func (s Renewals) transact(ctx context.Context, renewal table.Write, reminders ...table.Write) error {
	err := s.table().Transact(ctx, append([]table.Write{renewal}, reminders...)...)
	if _, moved := table.ConditionFailedAt(err, 0); moved {
		return ErrMoved
	}
	if err != nil {
		return fmt.Errorf("write renewal: %w", err)
	}
	return nil
}
