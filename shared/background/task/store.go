package task

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps tasks in OperationsTable, one item each (pk TASK#<id>, sk TASK). Each
// task that has not ended also has a reminder (pk the Queue of its kind, sk <when,
// Unix milliseconds, 13 digits>#<id>). Each task has an entry in each of its lists:
// see List.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of OperationsTable.
	Table string
}

const sortKey = "TASK"

func key(id string) attr.Item {
	return attr.Item{"pk": attr.String(sortKey + "#" + id), "sk": attr.String(sortKey)}
}

func (s Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// queue returns the queue of the tasks. A Queue of this package is a list of it.
func (s Store) queue() queue.Queue {
	return queue.Queue{
		Table: s.table(), Lease: Lease, Names: queue.Names{Due: attrWake, Tries: attrTries, Holder: attrLease},
		Reminders: queue.Reminders{Table: s.table(), ID: "id", Keep: Keep},
	}
}

// Attributes of an item. The first four have a meaning for the queue or for the
// stream's filters.
const (
	attrWake  = "wake"  // the time at which the task is due, in Unix milliseconds
	attrTries = "tries" // how often it was begun without progress
	attrLease = "lease" // the number of its worker's lease
	attrIdle  = "idle"  // present if no worker has it; names its Queue

	attrKind         = "kind"
	attrOwner        = "owner"
	attrVCS          = "vcs"
	attrInstallation = "installation"
	attrSubject      = "subject"
	attrName         = "name"
	attrNote         = "note"
	attrState        = "state"
	attrProblem      = "problem"
	attrDone         = "done"       // Progress.Done
	attrTotal        = "total"      // Progress.Total
	attrCreatedAt    = "created_at" // like all times but wake, in whole seconds
	attrUpdatedAt    = "updated_at"
	attrMovedAt      = "moved_at" // Run.MovedAt
	attrTTL          = "ttl"      // the time after which the table removes the item
)

// Get reads a task with a strongly consistent read. It returns fault.ErrNotFound if
// the task is unknown, or if its state last changed longer than Keep before now.
func (s Store) Get(ctx context.Context, id string, now time.Time) (Task, error) {
	item, err := s.read(ctx, id)
	if err != nil {
		return Task{}, err
	}
	r := attr.Read(item)
	t := decode(id, r)
	if err := r.Err(); err != nil {
		return Task{}, fmt.Errorf("decode task %s: %w", id, err)
	}
	// The table removes expired items within days, not at once.
	if now.Sub(t.UpdatedAt) > Keep {
		return Task{}, fault.ErrNotFound
	}
	return t, nil
}

func (s Store) read(ctx context.Context, id string) (attr.Item, error) {
	item, err := s.table().Get(ctx, key(id))
	if err != nil {
		return nil, fmt.Errorf("read task: %w", err)
	}
	if len(item) == 0 {
		return nil, fault.ErrNotFound
	}
	return item, nil
}

func decode(id string, r *attr.Reader) Task {
	return Task{
		ID: id, Kind: Kind(r.String(attrKind)), Owner: r.String(attrOwner),
		Installation: vcs.Installation{VCS: vcs.VCS(r.String(attrVCS)), ID: vcs.ID(r.String(attrInstallation))},
		Name:         r.String(attrName), Note: r.String(attrNote), State: State(r.String(attrState)), Problem: r.String(attrProblem),
		Progress: Progress{Done: r.Int(attrDone), Total: r.Int(attrTotal)}, UpdatedAt: r.Time(attrUpdatedAt), Subject: r.String(attrSubject),
	}
}

// Create stores a new task as Pending, in the name of author at author.At. State,
// Progress, Problem and UpdatedAt of t are ignored. The table's stream wakes a
// worker. If the id is taken, Create returns an error.
func (s Store) Create(ctx context.Context, author change.Author, t Task) error {
	if err := s.table().TransactOnce(ctx, "", s.Writes(author, t)...); err != nil {
		return fmt.Errorf("create task %s: %w", t.ID, err)
	}
	return nil
}

// Writes returns the writes of Create, at most four, for a transaction that creates a
// task together with what it is about.
func (s Store) Writes(author change.Author, t Task) []table.Write {
	due := author.At
	if t.NotBefore.After(due) {
		due = t.NotBefore
	}
	return s.writes(author, t, due)
}

// writes returns the writes of a task that is due at a time.
func (s Store) writes(author change.Author, t Task, due time.Time) []table.Write {
	item := key(t.ID)
	for name, value := range map[string]string{
		attrKind: string(t.Kind), attrOwner: t.Owner, attrName: t.Name, attrNote: t.Note, attrState: string(Pending),
		attrVCS: string(t.Installation.VCS), attrInstallation: string(t.Installation.ID), attrSubject: t.Subject,
	} {
		if value != "" {
			item[name] = attr.String(value)
		}
	}
	item[attrCreatedAt], item[attrUpdatedAt], item[attrTTL] = attr.Time(author.At), attr.Time(author.At), attr.Time(author.At.Add(Keep))
	item[attrIdle] = attr.String(t.Kind.Queue().idle())
	author.AddTo(item)
	return append(s.queue().Add(item, t.ID, t.Kind.Queue().at(due), table.Absent("pk")), s.enlist(t, author.At)...)
}

// Due returns the ids of the tasks of a queue that are due, at most limit of them.
// Those that have waited longest come first. If some reminders cannot be decoded,
// Due returns the other ids, and an error that names the bad ones.
func (s Store) Due(ctx context.Context, q Queue, now time.Time, limit int) ([]string, error) {
	due, err := s.queue().Reminders.Due(ctx, string(q), now, limit)
	ids := make([]string, len(due))
	for i, r := range due {
		ids[i] = r.ID
	}
	if err != nil {
		err = fmt.Errorf("list tasks that are due: %w", err)
	}
	return ids, err
}
