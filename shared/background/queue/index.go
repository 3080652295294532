package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Entry is an item as an index lists it. The index holds only keys, and it is a
// little behind the table. So the condition of TakeUnread decides.
type Entry struct {
	// Lane is the partition key of the item. What has the same lane takes turns with
	// what has another.
	Lane string
	// Order is the sort key of the item: its order within the lane.
	Order string

	due int64
}

// At returns the time at which the item is due, or at which it was parked.
func (e Entry) At() time.Time { return time.UnixMilli(e.due % span).UTC() }

// How much of a list is read, to select some items of each lane.
const (
	// page is the number of items that are read at once.
	page = 1000
	// pages is the maximum number of pages that are read, so that a read stays
	// short.
	pages = 10
	// Seen is the maximum number of items of a list that are read. Those after them
	// are not seen until the first ones have moved.
	Seen = pages * page
)

// forever is later than every due time.
const forever = math.MaxInt64

// Due returns items of some lists of the index that are due by now, at most limit of
// them. Lanes take turns, so that none waits for another that has many items. This
// holds among the first Seen due items of each list: a lane with more than that can
// fill a list's Seen by itself. Within a lane, the items that have waited longest
// come first. If a part cannot be read or decoded, Due returns the others, and the
// error.
func (q Queue) Due(ctx context.Context, lists []string, now time.Time, limit int) ([]Entry, error) {
	var all []Entry
	var problem error
	for _, list := range lists {
		some, err := q.first(ctx, list, now.UnixMilli(), limit)
		all, problem = append(all, some...), errors.Join(problem, err)
	}
	slices.SortStableFunc(all, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.Order, b.Order))
	})
	return InTurns(all, limit), problem
}

// First returns the first items of a list of the index, also those that are not due
// yet. It reads until it has found items of some lanes, as many as lanes says, or
// until it has read Seen items.
func (q Queue) First(ctx context.Context, list string, lanes int) ([]Entry, error) {
	return q.first(ctx, list, forever, lanes)
}

// InTurns selects from a list: the first item of each lane, in the order of the
// list, then the second of each, and so on. It returns at most limit items.
func InTurns(list []Entry, limit int) []Entry {
	type choice struct {
		Entry
		turn int
	}
	turns := map[string]int{}
	choices := make([]choice, len(list))
	for i, e := range list {
		choices[i] = choice{e, turns[e.Lane]}
		turns[e.Lane]++
	}
	slices.SortStableFunc(choices, func(a, b choice) int { return cmp.Compare(a.turn, b.turn) })
	chosen := make([]Entry, min(len(list), limit))
	for i := range chosen {
		chosen[i] = choices[i].Entry
	}
	return chosen
}

// first reads the first items of a list until a value of due, page by page. It ends
// when it has found items of as many lanes as lanes says, when there are no more,
// or when it has read Seen.
func (q Queue) first(ctx context.Context, list string, to int64, lanes int) (entries []Entry, problem error) {
	found := map[string]bool{}
	read := 0
	for some, err := range q.Table.Pages(ctx, q.between(list, 0, to, page)) {
		if err != nil {
			return entries, errors.Join(problem, fmt.Errorf("list %s: %w", list, err))
		}
		part, bad := q.entries(some.Items)
		entries, problem = append(entries, part...), errors.Join(problem, bad)
		for _, e := range part {
			found[e.Lane] = true
		}
		if read++; read == pages || len(found) >= lanes {
			break
		}
	}
	return entries, problem
}

// between returns the query of the items of a list between two values of due, both
// included.
func (q Queue) between(list string, from, to int64, limit int) table.Query {
	return table.Query{
		Index: q.Index, Eventual: true, Limit: limit,
		Key: []table.Condition{table.Equal(q.Names.List, attr.String(list)), table.Between(q.Names.Due, attr.Int(from), attr.Int(to))},
	}
}

// entries decodes items of the index. It returns those that it can decode, and an
// error that names the others.
func (q Queue) entries(items []table.Item) (entries []Entry, bad error) {
	for _, item := range items {
		r := attr.Read(item)
		e := Entry{Lane: r.String("pk"), Order: r.String("sk"), due: r.Int(q.Names.Due)}
		if err := r.Err(); err != nil {
			bad = errors.Join(bad, fmt.Errorf("decode index: %q %q: %w", e.Lane, e.Order, err))
			continue
		}
		entries = append(entries, e)
	}
	return entries, bad
}
