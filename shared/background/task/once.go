package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// slotKey returns the key of the item that names the last task of a kind. There is
// one such item for each owner and installation. For tasks that operators started,
// there is one for each installation or person that the task is about.
func slotKey(t Task) attr.Item {
	return attr.Item{
		"pk": attr.String("LAST#" + string(t.Kind) + "#" + string(t.Installation.VCS) + "#" + string(t.Installation.ID)),
		"sk": attr.String(cmp.Or(t.Owner, t.Subject, "-")),
	}
}

// Idle returns a condition for a transaction of another package: no task like t was
// started with CreateOnce since this call. A task is like t if it has the same
// Kind, Owner, Subject and Installation. If such a task is running, Idle returns
// that task and no condition.
func (s Store) Idle(ctx context.Context, t Task, now time.Time) (condition table.Write, running *Task, err error) {
	last, there, err := s.slot(ctx, t)
	if err != nil {
		return table.Write{}, nil, err
	}
	if !there {
		return s.table().WriteCheck(slotKey(t), table.Absent("pk")), nil, nil
	}
	known, err := s.Get(ctx, last, now)
	if err != nil && !errors.Is(err, fault.ErrNotFound) {
		return table.Write{}, nil, err
	}
	if err == nil && !known.Ended() {
		return table.Write{}, &known, nil
	}
	return s.table().WriteCheck(slotKey(t), table.Equal("id", attr.String(last))), nil, nil
}

// slot returns the id of the task that a slot names.
func (s Store) slot(ctx context.Context, t Task) (last string, there bool, err error) {
	item, err := s.table().Get(ctx, slotKey(t))
	if err != nil {
		return "", false, fmt.Errorf("read last task: %w", err)
	}
	return attr.Read(item).String("id"), len(item) > 0, nil
}

// CreateOnce does what Create does, unless the owner's last task of the kind at the
// installation has not ended yet. Then it returns that task. So repeated requests
// have one task at a time.
func (s Store) CreateOnce(ctx context.Context, author change.Author, t Task, now time.Time) (Task, error) {
	slot := slotKey(t)
	last, there, err := s.slot(ctx, t)
	if err != nil {
		return Task{}, err
	}
	condition := table.Absent("pk")
	if there {
		condition = table.Equal("id", attr.String(last))
		known, err := s.Get(ctx, last, now)
		if err == nil && !known.Ended() {
			return known, nil
		}
		if err != nil && !errors.Is(err, fault.ErrNotFound) {
			return Task{}, err
		}
	}
	slot["id"], slot[attrTTL] = attr.String(t.ID), attr.Time(author.At.Add(Keep))
	err = s.create(ctx, append([]table.Write{s.table().WritePut(slot, condition)}, s.Writes(author, t)...))
	if errors.Is(err, errExists) {
		return Task{}, fault.Busyf("CONTENDED", "another request has just started the same: try again")
	}
	if err != nil {
		return Task{}, err
	}
	t.State, t.UpdatedAt = Pending, author.At.UTC().Truncate(time.Second)
	return t, nil
}

// errExists says that the first item of a transaction exists already, or has another
// task.
var errExists = errors.New("another request was first")

// create makes the writes of a new task. It returns errExists if the condition of
// the first does not hold.
func (s Store) create(ctx context.Context, writes []table.Write) error {
	err := s.table().Transact(ctx, writes...)
	if _, exists := table.ConditionFailedAt(err, 0); exists {
		return errExists
	}
	if err != nil {
		return fmt.Errorf("create task: %w", err)
	}
	return nil
}

// quiet is how long a task of Gather waits for more requests of the same kind.
const quiet = 5 * time.Minute

// Gather creates a task of the server itself, which is requested at author.At.
// author.At is the present time, because the task's age counts from then. All
// requests for the same kind at the same installation within the same five minutes
// get one task. It begins when the five minutes are over. So each request is
// followed by a task, and there is at most one task in five minutes. The id of t is
// ignored.
func (s Store) Gather(ctx context.Context, author change.Author, t Task) error {
	due := author.At.Truncate(quiet).Add(quiet)
	t.ID = uuid.NewSHA1(gathered, fmt.Appendf(nil, "%s#%s#%s#%d", t.Kind, t.Installation.VCS, t.Installation.ID, due.UnixMilli())).String()
	t.Name = Title(t.Kind, t.ID, t.Installation.ID)
	err := s.create(ctx, s.writes(author, t, due))
	if errors.Is(err, errExists) {
		return nil // the task exists already
	}
	return err
}

// gathered is the UUID namespace of the ids of such tasks.
var gathered = uuid.MustParse("5f6e2b0c-9f0e-4d0a-8f53-3c1f6f0a7f21")
