package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Due is a lane with something that is due.
type Due struct {
	Repository vcs.Repository

	items []dueItem
}

// dueItem is a request or a decision that is due.
type dueItem struct {
	sort     string
	failed   int
	reminder queue.Reminder
}

// maxReminders is the largest number of reminders that Due reads.
const maxReminders = 1000

// retry says when the schedule tries a request or a decision again that has failed.
var retry = queue.Backoff{First: time.Minute, Most: 15 * time.Minute}

// Due returns the lanes that have something that is due by now, at most limit of them.
// Those that have waited longest come first. It drops reminders of items that are not
// due or do not exist any more. If some cannot be read, it returns the others, and the
// error.
func (s Store) Due(ctx context.Context, now time.Time, limit int) ([]Due, error) {
	found, problem := s.reminders().Due(ctx, dueList, now, maxReminders)
	var lanes []Due
	at := map[vcs.Repository]int{}
	for some := range slices.Chunk(found, table.MaxBatch) {
		items, err := s.items(ctx, some)
		if err != nil {
			return nil, errors.Join(problem, err)
		}
		for _, r := range some {
			of, sort, err := parseReminder(r)
			if err != nil {
				problem = errors.Join(problem, err)
				continue
			}
			item, ok := items[r.ID]
			if !ok || !readMillis(attr.Read(item), attrDue).Equal(r.At) || !mine(of, item) {
				if err := s.reminders().Drop(ctx, r); err != nil {
					return nil, errors.Join(problem, err)
				}
				continue
			}
			n, known := at[of]
			if !known {
				n, at[of] = len(lanes), len(lanes)
				lanes = append(lanes, Due{Repository: of})
			}
			lanes[n].items = append(lanes[n].items, dueItem{sort, int(attr.Read(item).Int(attrFailed)), r})
		}
	}
	return lanes[:min(len(lanes), limit)], problem
}

// items reads the items of reminders, at most table.MaxBatch, by the ids of these.
func (s Store) items(ctx context.Context, list []queue.Reminder) (map[string]attr.Item, error) {
	batch := table.Batch{Names: []string{"pk", "sk", attrInstallation, attrDue, attrFailed}}
	ids := map[string][]string{} // an item may have several reminders, and an id too
	for _, r := range list {
		of, sort, err := parseReminder(r)
		if err != nil {
			continue
		}
		name := partition(of) + " " + sort
		if len(ids[name]) == 0 {
			batch.Keys = append(batch.Keys, key(of, sort))
		}
		ids[name] = append(ids[name], r.ID)
	}
	found := map[string]attr.Item{}
	if len(batch.Keys) == 0 {
		return found, nil
	}
	items, err := s.table().BatchGet(ctx, batch)
	if err != nil {
		return nil, fmt.Errorf("read what is due: %w", err)
	}
	for _, item := range items {
		r := attr.Read(item)
		for _, id := range ids[r.String("pk")+" "+r.String("sk")] {
			found[id] = item
		}
	}
	return found, nil
}

// Settle moves what was due and is still there to a later time: to the end of the
// lane's rest, or, if the evaluation of the lane has failed, by a time that grows with
// the failures. It is safe to repeat. What somebody else has moved or ended stays as it
// is.
func (s Store) Settle(ctx context.Context, d Due, failed bool, now time.Time) error {
	lease, err := s.table().Get(ctx, key(d.Repository, sortLease), attrRest)
	if err != nil {
		return fmt.Errorf("read lease of %s: %w", d.Repository, err)
	}
	rest := readMillis(attr.Read(lease), attrRest)
	for _, item := range d.items {
		to, edit := rest, table.Change(key(d.Repository, item.sort))
		switch {
		case rest.After(now):
		case failed:
			to = now.Add(retry.Pause(item.failed + 1))
			edit.Set(attrFailed, attr.Int(int64(item.failed+1)))
		default:
			continue
		}
		edit.Set(attrDue, millis(to)).If(table.Equal(attrDue, millis(item.reminder.At)))
		err := s.table().Transact(ctx, append([]table.Write{s.table().WriteUpdate(edit)},
			s.reminders().Move(item.reminder, reminder(d.Repository, item.sort, to))...)...)
		if _, moved := table.ConditionFailedAt(err, 0); err != nil && !moved {
			return fmt.Errorf("move what is due of %s: %w", d.Repository, err)
		}
	}
	return nil
}
