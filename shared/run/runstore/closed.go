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
	"github.com/opsplane/opsplane/shared/storage/attr"
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

// goneKey returns the key of the item that says up to which place the plans of the runs of
// a pull request are removed. A pull request is stated again after it was closed, such as
// with another label, and is due again then. Those plans are not looked at again.
func (c Closed) goneKey() attr.Item {
	return in(lane(c.Repository), "PLANSGONE#"+strconv.FormatInt(c.Number, 10))
}

const attrPlace = "place"

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

// OfClosed returns the oldest runs of a closed pull request whose plans are to be
// removed, at most limit of them, strongly consistent.
func (s Store) OfClosed(ctx context.Context, c Closed, limit int) ([]runindex.Listed, error) {
	item, err := s.table().Get(ctx, c.goneKey())
	if err != nil {
		return nil, fmt.Errorf("read which plans are removed: %w", err)
	}
	var after string
	if r := attr.Read(item); item != nil {
		if after = r.String(attrPlace); r.Err() != nil {
			return nil, fmt.Errorf("decode which plans are removed: %w", r.Err())
		}
	}
	return runindex.OfPull(ctx, s.table(), c.Repository, c.Number, after, c.before, limit)
}

// PlansGone says that the plans of a run of a closed pull request and of all older ones are
// removed. It is safe to repeat. now is the time of the caller.
func (s Store) PlansGone(ctx context.Context, c Closed, last runindex.Listed, now time.Time) error {
	place := attr.String(last.Place)
	err := s.table().Update(ctx, table.Change(c.goneKey()).Set(attrPlace, place).Set("installation", attr.String(string(c.Repository.Installation.ID))).
		Set(attrTTL, attr.Time(now.Add(s.Limits.Keep))).If(table.AbsentOr(attrPlace, table.Less(attrPlace, place))))
	if _, further := table.ConditionFailed(err); err != nil && !further {
		return fmt.Errorf("record which plans are removed: %w", err)
	}
	return nil
}

// PostponeClosed makes a closed pull request due at another time.
func (s Store) PostponeClosed(ctx context.Context, c Closed, due time.Time) error {
	to := c.at(c.before, due)
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
