package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// A list of parked items has the items that wait until somebody acts. It sorts them
// by lane. So a query can pass over one lane, however many items the lane has. Due
// consists of the bucket of the lane and, after it, the time at which the item was
// parked.
const (
	span    = 10_000_000_000_000 // milliseconds until the year 2286
	buckets = 900_000            // as many as fit into an int64
	// rounds is the maximum number of queries that look for lanes with parked items.
	rounds = 50
)

// Shard returns a number from 0 to n-1 for a text. The same text always has the same
// number.
func Shard(text string, n uint32) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text)) // cannot fail
	return h.Sum32() % n
}

func bucket(lane string) int64 { return 1 + int64(Shard(lane, buckets)) }

// ParkedAt returns the place of an item of a lane that is parked at a time, in a list
// of the index.
func ParkedAt(list, lane string, now time.Time) Place {
	return Place{List: list, Due: bucket(lane)*span + now.UnixMilli()}
}

// Parked returns the items of a list of parked items, at most each of one lane.
// Those that were parked first come first. A lane with many items does not hide
// another one. If thousands of lanes have some, not all are returned.
func (q Queue) Parked(ctx context.Context, list string, each int) (entries []Entry, problem error) {
	for from, n := int64(0), 0; n < rounds; n++ {
		read, err := q.Table.Query(ctx, q.between(list, from, forever, each))
		if err != nil {
			problem = errors.Join(problem, fmt.Errorf("list %s: %w", list, err))
			break
		}
		some, bad := q.entries(read.Items)
		problem = errors.Join(problem, bad)
		if len(read.Items) < each || len(some) == 0 { // the last page
			entries = append(entries, some...)
			break
		}
		// The last lane may have more items than were read. If the page has other
		// lanes too, the last one is read again. If it filled the page, the next
		// query passes over it.
		last := some[len(some)-1].due / span
		if from = last * span; some[0].due/span == last {
			from += span
		} else {
			some = slices.DeleteFunc(some, func(e Entry) bool { return e.due/span == last })
		}
		entries = append(entries, some...)
	}
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(a.At().Compare(b.At()), cmp.Compare(a.Order, b.Order))
	})
	return entries, problem
}

// ParkedOf returns the parked items of a lane, in the order in which they were
// parked. It reads one page of the index.
func (q Queue) ParkedOf(ctx context.Context, list, lane string) ([]Entry, error) {
	read := q.between(list, bucket(lane)*span, (bucket(lane)+1)*span-1, 0)
	read.Filter = []table.Condition{table.Equal("pk", attr.String(lane))}
	found, err := q.Table.Query(ctx, read)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", list, err)
	}
	return q.entries(found.Items)
}
