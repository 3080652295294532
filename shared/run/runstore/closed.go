package runstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// closedList has pull requests that were closed, and whose plans are to be removed.
const closedList = "DUE#CLOSED"

// Closed is a pull request whose plans are to be removed: those of all runs that come
// before a place in the list of its runs.
type Closed struct {
	Repository vcs.Repository
	Number     int64

	before   string
	reminder queue.Reminder
}

// WriteClosed returns the write that makes the plans of a pull request go. It belongs in
// the transaction that records that the pull request was closed. The plans of all runs
// go that were created by due, and they go from due on.
func (s Store) WriteClosed(of vcs.Repository, number int64, due time.Time) table.Write {
	c := Closed{Repository: of, Number: number}
	return s.reminders().Put(c.at(runindex.PlaceAfter(due), due))
}

// at returns the reminder of the pull request for a place and a time. It holds all that
// is known.
func (c Closed) at(before string, due time.Time) queue.Reminder {
	in := c.Repository.Installation
	id := strings.Join([]string{string(in.VCS), string(in.ID), string(c.Repository.ID), strconv.FormatInt(c.Number, 10), before}, "#")
	return queue.Reminder{List: closedList, ID: id, At: time.UnixMilli(due.UnixMilli()).UTC()}
}

// ClosedDue returns the closed pull requests that are due by now, at most limit of them.
func (s Store) ClosedDue(ctx context.Context, now time.Time, limit int) ([]Closed, error) {
	found, err := s.reminders().Due(ctx, closedList, now, limit)
	if err != nil {
		err = fmt.Errorf("list closed pull requests: %w", err)
	}
	var list []Closed
	for _, r := range found {
		parts := strings.SplitN(r.ID, "#", 5)
		if len(parts) != 5 {
			err = errors.Join(err, fmt.Errorf("decode closed pull request %q", r.ID))
			continue
		}
		number, bad := strconv.ParseInt(parts[3], 10, 64)
		if bad != nil {
			err = errors.Join(err, fmt.Errorf("decode closed pull request: %w", bad))
			continue
		}
		of := vcs.Installation{VCS: vcs.VCS(parts[0]), ID: vcs.ID(parts[1])}.Repository(vcs.ID(parts[2]))
		list = append(list, Closed{Repository: of, Number: number, before: parts[4], reminder: r})
	}
	return list, err
}

// OfClosed returns the newest runs of a closed pull request whose plans are to be
// removed, at most limit of them.
func (s Store) OfClosed(ctx context.Context, c Closed, limit int) ([]runindex.Listed, error) {
	return runindex.OfPull(ctx, s.table(), c.Repository, c.Number, c.before, limit)
}

// PostponeClosed makes a closed pull request due at another time. If done is not nil,
// the plans of this run and of all newer ones are removed, and the next time goes on
// after it.
func (s Store) PostponeClosed(ctx context.Context, c Closed, done *runindex.Listed, due time.Time) error {
	before := c.before
	if done != nil {
		before = done.Place
	}
	to := c.at(before, due)
	if to == c.reminder {
		return nil
	}
	if err := s.table().Transact(ctx, s.reminders().Move(c.reminder, to)...); err != nil {
		return fmt.Errorf("postpone closed pull request: %w", err)
	}
	return nil
}

// DoneClosed says that all plans of a closed pull request are removed. It is safe to
// repeat.
func (s Store) DoneClosed(ctx context.Context, c Closed) error {
	return s.reminders().Drop(ctx, c.reminder)
}
