package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// checkList is the partition of the repositories that have schedules for drift, by the
// time at which these are looked at.
const checkList = "CHECK"

// Check is a time at which the schedules for drift of a repository are looked at.
type Check struct {
	Repository vcs.Repository
	At         time.Time
}

func (c Check) reminder() queue.Reminder {
	return queue.Reminder{List: checkList, ID: c.Repository.String() + " ", At: time.UnixMilli(c.At.UnixMilli()).UTC()}
}

// WriteCheck returns the writes that move the check of a repository from one time to
// another. A zero time means that there is none.
func (s Store) WriteCheck(r vcs.Repository, from, to time.Time) []table.Write {
	was, is := Check{r, from}.reminder(), Check{r, to}.reminder()
	switch {
	case from.IsZero() && to.IsZero():
		return nil
	case from.IsZero():
		return []table.Write{s.reminders().Put(is)}
	case to.IsZero():
		return []table.Write{s.reminders().Delete(was)}
	}
	return s.reminders().Move(was, is)
}

// AskCheck asks for an evaluation of a check that is due, and takes the check out of the
// list. The decision plans the next one.
func (s Store) AskCheck(ctx context.Context, c Check, now time.Time) error {
	writes, err := s.WriteAsk(Request{Kind: Drift, Repository: c.Repository, At: c.At}, now)
	if err != nil {
		return err
	}
	if err := s.table().Transact(ctx, append(writes, s.reminders().Delete(c.reminder()))...); err != nil {
		return fmt.Errorf("ask for a check of %s: %w", c.Repository, err)
	}
	return nil
}

// Checks returns the checks that are due by now, at most limit of them. Those that have
// waited longest come first. If some cannot be read, it returns the others, and the error.
func (s Store) Checks(ctx context.Context, now time.Time, limit int) ([]Check, error) {
	found, problem := s.reminders().Due(ctx, checkList, now, limit)
	if problem != nil {
		problem = fmt.Errorf("list checks for drift: %w", problem)
	}
	var list []Check
	for _, r := range found {
		of, _, err := parseReminder(r)
		if err != nil {
			problem = errors.Join(problem, err)
			continue
		}
		list = append(list, Check{of, r.At})
	}
	return list, problem
}
