package runstore

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// List is a list of runs that are due. Each run that has not ended is in one list.
// A run that has ended is in EndedList for a while, and then in none.
type List string

// The lists.
const (
	// CreatingList has runs whose creation was not finished in an hour.
	// RemoveUnfinished removes them.
	CreatingList List = "DUE#CREATING"
	// DispatchList has queued runs whose dispatch is to be tried: the stream did not
	// wake the dispatcher, the dispatcher died, or the host was not available. Claim
	// takes them.
	DispatchList List = "DUE#DISPATCH"
	// StartList has dispatched runs whose runner has not asked for its work. Those
	// whose id at the host is known are due after two minutes, to be asked for there.
	// Others are due when their time is over (Limits.Start).
	StartList List = "DUE#START"
	// ReportList has running runs whose runner has sent no result. They are due now
	// and then, to be asked for at the host, and when their time is over
	// (Limits.Report).
	ReportList List = "DUE#REPORT"
	// EndedList has runs that have ended and that leave something to do: an end to
	// evaluate, results to fold in, plans that were used, a CI job that works for
	// nobody. Done takes them out.
	EndedList List = "DUE#ENDED"
)

// endedWake is when the schedule looks at a run that has ended and that the stream has
// not shown to the dispatcher.
const endedWake = time.Minute

// Due is an entry of a list. It is a hint: the run's own item decides.
type Due struct {
	ID run.ID
	// At is the time since which the run is due.
	At time.Time

	reminder queue.Reminder
}

// Due returns the entries of a list that are due by now, at most limit of them. Those
// that have waited longest come first.
func (s Store) Due(ctx context.Context, list List, now time.Time, limit int) ([]Due, error) {
	found, err := s.reminders().Due(ctx, string(list), now, limit)
	if err != nil {
		return nil, fmt.Errorf("list runs that are due: %w", err)
	}
	due := make([]Due, len(found))
	for i, r := range found {
		due[i] = Due{ID: run.ID(r.ID), At: r.At, reminder: r}
	}
	return due, nil
}

// Stale reports whether an entry no longer belongs to its run: the run has gone on,
// or does not exist. Then it drops the entry. Otherwise it returns the run, without
// dirspaces that are in chunks.
func (s Store) Stale(ctx context.Context, d Due) (run.Run, bool, error) {
	rec, err := s.read(ctx, d.ID)
	if err != nil && !gone(err) {
		return run.Run{}, false, err
	}
	if err == nil && rec.due == d.reminder {
		return rec.Run, false, nil
	}
	return run.Run{}, true, s.reminders().Drop(ctx, d.reminder)
}

// Done takes a run out of EndedList. It is safe to repeat.
func (s Store) Done(ctx context.Context, d Due) error { return s.reminders().Drop(ctx, d.reminder) }

// Postpone makes a run due at a later time in its list. It is for a sweep that has
// found out that the CI job lives. It returns ErrLost if the run is not as the caller
// saw it.
func (s Store) Postpone(ctx context.Context, seen run.Run, until time.Time, author change.Author) error {
	_, _, err := s.transition(ctx, seen.ID, author, func(r *record) ([]table.Write, error) {
		if r.Version != seen.Version || r.State.Ended() {
			return nil, ErrLost
		}
		r.dueAt(List(r.due.List), until)
		return nil, nil
	})
	return err
}

// dueAt sets the run's reminder.
func (r *record) dueAt(list List, at time.Time) {
	r.due = queue.Reminder{List: string(list), ID: string(r.ID), At: time.UnixMilli(at.UnixMilli()).UTC()}
}

// remind returns the writes that replace a run's reminder by another. The zero
// reminder means none.
func (s Store) remind(from, to queue.Reminder) []table.Write {
	reminders := s.reminders()
	switch {
	case from == to:
		return nil
	case from.List == "":
		return []table.Write{reminders.Put(to)}
	case to.List == "":
		return []table.Write{reminders.Delete(from)}
	default:
		return reminders.Move(from, to)
	}
}
