package task

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// List names a list of tasks. It is the partition of the list's entries. An entry is
// an item of its own, with the sort key <creation, Unix milliseconds, 13 digits>#<id>.
// It is written with the task and never changes.
type List string

// OfUser returns the list of the tasks that a user owns.
func OfUser(id string) List { return List("USERTASKS#" + id) }

// OfInstallation returns the list of the tasks that are about an installation,
// whoever started them.
func OfInstallation(i vcs.Installation) List {
	return List("INSTALLATIONTASKS#" + string(i.VCS) + "#" + string(i.ID))
}

// MaxListed is the largest number of tasks that List reads at once.
const MaxListed = table.MaxBatch

// Query says which part of a list is wanted.
type Query struct {
	// List is the list.
	List List
	// After is the cursor of the task after which the part begins. Empty begins at
	// the end of the list that Oldest says.
	After string
	// Oldest lists the oldest tasks first. Otherwise the newest come first.
	Oldest bool
	// Limit is the largest number of tasks: 1 to MaxListed.
	Limit int
	// Keep says which tasks are wanted. Nil wants all.
	Keep func(Task) bool
}

// Listed is a task as a list has it.
type Listed struct {
	Task
	// CreatedAt is the time at which the task was created, in milliseconds.
	CreatedAt time.Time

	cursor string
}

// Cursor returns the place of the task in its lists.
func (l Listed) Cursor() string { return l.cursor }

// cursors is the form of a cursor.
var cursors = regexp.MustCompile(`^[0-9]{13}#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// ValidCursor reports whether a text has the form of a cursor.
func ValidCursor(text string) bool { return cursors.MatchString(text) }

// since returns the least sort key of a task that was created at a time or later. 13
// digits sort as times do until the year 2286.
func since(at time.Time) string { return fmt.Sprintf("%013d", at.UnixMilli()) }

// enlist returns the writes that put a new task into its lists.
func (s Store) enlist(t Task, created time.Time) []table.Write {
	var lists []List
	if t.Owner != "" {
		lists = append(lists, OfUser(t.Owner))
	}
	if t.Installation.ID != "" {
		lists = append(lists, OfInstallation(t.Installation))
	}
	var writes []table.Write
	for _, list := range lists {
		writes = append(writes, s.table().WritePut(attr.Item{
			"pk": attr.String(string(list)), "sk": attr.String(since(created) + "#" + t.ID), attrTTL: attr.Time(created.Add(Keep)),
		}))
	}
	return writes
}

// List returns a part of a list: tasks that were created within Keep before now. It
// makes one query and one batch read, so the part may be shorter than the limit, even
// empty. more is the cursor after which the list continues. It is empty at the end of
// the list. A task that cannot be read is left out: its worker reports it and ends
// it.
func (s Store) List(ctx context.Context, q Query, now time.Time) (found []Listed, more string, err error) {
	cursors, more, err := s.entries(ctx, q, since(now.Add(-Keep)))
	if err != nil || len(cursors) == 0 {
		return nil, "", err
	}
	keys := make([]table.Item, len(cursors))
	for i, cursor := range cursors {
		keys[i] = key(idOf(cursor))
	}
	items, err := s.table().BatchGet(ctx, table.Batch{Keys: keys})
	if err != nil {
		return nil, "", fmt.Errorf("read tasks: %w", err)
	}
	tasks := map[string]Task{}
	for _, item := range items {
		r := attr.Read(item)
		id, _ := strings.CutPrefix(r.String("pk"), sortKey+"#")
		t := decode(id, r)
		if r.Err() == nil && (q.Keep == nil || q.Keep(t)) {
			tasks[id] = t
		}
	}
	for _, cursor := range cursors {
		t, ok := tasks[idOf(cursor)]
		if !ok {
			continue
		}
		ms, _ := strconv.ParseInt(cursor[:len(cursor)-len(t.ID)-1], 10, 64)
		found = append(found, Listed{Task: t, CreatedAt: time.UnixMilli(ms).UTC(), cursor: cursor})
	}
	return found, more, nil
}

// entries returns the cursors of a part of a list, none of them before from. more is
// the last of them if the list continues.
func (s Store) entries(ctx context.Context, q Query, from string) (found []string, more string, err error) {
	// One more than wanted says whether the list continues.
	ask := table.Query{Key: []table.Condition{table.Equal("pk", attr.String(string(q.List)))}, Names: []string{"sk"}, Backward: !q.Oldest, Limit: q.Limit + 1}
	switch {
	case !q.Oldest && q.After != "":
		ask.Key = append(ask.Key, table.Less("sk", attr.String(q.After)))
	default:
		ask.Key = append(ask.Key, table.Greater("sk", attr.String(max(q.After, from))))
	}
	page, err := s.table().Query(ctx, ask)
	if err != nil {
		return nil, "", fmt.Errorf("list tasks: %w", err)
	}
	for _, item := range page.Items {
		cursor := attr.Read(item).String("sk")
		if cursor < from || !ValidCursor(cursor) {
			continue // expired, but not yet removed
		}
		if len(found) == q.Limit {
			return found, found[q.Limit-1], nil
		}
		found = append(found, cursor)
	}
	return found, "", nil
}

// idOf returns the id of the task that a cursor names.
func idOf(cursor string) string {
	_, id, _ := strings.Cut(cursor, "#")
	return id
}
