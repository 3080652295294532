package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Query chooses among records. Of Scope, Actor and Topic exactly one is set.
type Query struct {
	// Scope leaves the records of an installation, or those of none, as
	// Record.Scope has it; Actor those of an actor, wherever they are; Topic
	// those about one thing, as Record.Topic has it.
	Scope, Actor, Topic string
	// From and To bound the time, From included and To not. A zero From leaves
	// all that are kept.
	From, To time.Time
	// After is the cursor of a record: only what comes behind it is listed.
	After string
	// Oldest lists the oldest first, otherwise the newest come first.
	Oldest bool
	// Limit is how many records are wanted.
	Limit int
	// Keep chooses among what was read; nil keeps all.
	Keep func(Record) bool
}

// maxRead bounds how many records a call reads that chooses among them: about a
// megabyte.
const maxRead = 1000

// List returns records by time. More is the cursor to go on behind: with Keep it
// is set also where fewer than Limit were found, because a call reads no more
// than maxRead records; empty where there is no more. A record that has just
// been added may be missing for a moment.
func (s Store) List(ctx context.Context, q Query) (found []Record, more string, err error) {
	from, to := q.bounds()
	if !q.From.Before(q.To) || from > to {
		return nil, "", nil
	}
	read, last := 0, ""
	for page, err := range s.table().Pages(ctx, q.request(from, to)) {
		if err != nil {
			return nil, "", fmt.Errorf("list records: %w", err)
		}
		for _, item := range page.Items {
			if len(found) == q.Limit || read == maxRead {
				return found, last, nil
			}
			r, err := decode(item)
			if err != nil {
				return nil, "", err
			}
			read, last = read+1, r.Cursor()
			if q.Keep == nil || q.Keep(r) {
				found = append(found, r)
			}
		}
	}
	return found, "", nil
}

// request is the query of the table, or of the index, that has what is wanted in
// its order. It reads one record more than wanted, which shows that there are
// more.
func (q Query) request(from, to string) table.Query {
	limit := q.Limit + 1
	if q.Keep != nil {
		limit = maxRead + 1
	}
	index, name, value := "", "pk", q.Scope
	switch {
	case q.Actor != "":
		index, name, value = "by_"+byActor, byActor, q.Actor
	case q.Topic != "":
		index, name, value = "by_"+byTopic, byTopic, q.Topic
	}
	return table.Query{
		Index: index, Backward: !q.Oldest, Limit: limit, Eventual: true,
		Key: []table.Condition{table.Equal(name, attr.String(value)), table.Between("sk", attr.String(from), attr.String(to))},
	}
}

// bounds are the cursors between which the wanted records lie. A cursor is
// shorter than any text that has another sign behind it.
func (q Query) bounds() (from, to string) {
	from, to = attr.SortMillis(q.From), attr.SortMillis(q.To.Add(-time.Millisecond))+"~"
	switch {
	case q.After == "":
	case q.Oldest:
		from = max(from, q.After+" ")
	default:
		to = min(to, prior(q.After))
	}
	return from, to
}

// prior is a text behind every cursor that is smaller than this one, and before
// it.
func prior(cursor string) string {
	last := len(cursor) - 1
	return cursor[:last] + string(cursor[last]-1) + "~"
}
