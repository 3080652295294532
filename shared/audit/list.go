package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Query selects records. Exactly one of Scope, Actor and Topic is set.
type Query struct {
	// Scope selects the records of an installation, or those of no installation, as
	// Record.Scope returns it. Actor selects the records of an actor, in every
	// scope. Topic selects the records about one thing, as Record.Topic returns it.
	Scope, Actor, Topic string
	// From and To limit the time. From is included and To is not. A zero From means
	// the beginning.
	From, To time.Time
	// After is the cursor of a record. Only records behind it are listed.
	After string
	// Oldest lists the oldest records first. Otherwise the newest come first.
	Oldest bool
	// Limit is how many records are wanted.
	Limit int
	// Keep selects among the records that were read. Nil keeps all.
	Keep func(Record) bool
}

// maxRead is the largest number of records that a call with Keep reads: about a
// megabyte.
const maxRead = 1000

// List returns records by time. More is the cursor to continue from. It is empty if
// there are no more records. With Keep, it may be set although fewer than Limit
// records were found, because a call reads at most maxRead records. A record that
// was just added may be missing for a moment.
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

// request returns the query of the table or index that has the wanted records in
// order. It reads one record more than wanted, which shows that there are more.
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

// bounds returns the cursors between which the wanted records lie. A cursor with
// one more character at its end sorts behind that cursor.
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

// prior returns a text that sorts before this cursor and behind every smaller
// cursor.
func prior(cursor string) string {
	last := len(cursor) - 1
	return cursor[:last] + string(cursor[last]-1) + "~"
}
