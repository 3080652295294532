package delivery

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// index sorts the deliveries that are not over by the time at which they are due.
// It holds only keys, and it is a little behind the table. So the condition of
// BeginDue decides.
const index = "by_due"

// The partitions of the index. Each delivery first enters a partition of received
// deliveries. One partition takes a thousand writes a second ("Partitions and data
// distribution", AWS documentation), so there are several.
const (
	groups = 4
	parked = "parked" // deliveries that are tried again when they are due
	stuck  = "stuck"  // stuck deliveries, by installation: see stuckAt
)

// received returns the partition of a delivery that has arrived.
func received(id string) string {
	return receivedGroup(int(hashed(id) % groups))
}

func hashed(text string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text)) // cannot fail
	return h.Sum32()
}

func receivedGroup(n int) string { return string(Received) + "-" + strconv.Itoa(n) }

// waiting is a delivery as the index holds it.
type waiting struct {
	key Key
	due int64
}

// How much of a partition is read, to select some deliveries of each installation.
const (
	// page is the number of deliveries that are read at once.
	page = 1000
	// pages is the maximum number of pages that are read, so that a read stays
	// short.
	pages = 10
)

// Seen is the maximum number of deliveries of a partition of the index that are
// read. Those after them are not seen until the first ones are tried.
const Seen = pages * page

// Due returns the keys of deliveries that are due, at most limit of them. These are
// parked deliveries at or after their next try, and deliveries that arrived or were
// begun a Lease ago and are not over. Installations take turns, so that none waits
// for another that has many. This holds among the first Seen due deliveries of each
// partition of the index: an installation with more than that can fill a
// partition's Seen alone. Within an installation, the deliveries that have waited
// longest come first.
func (s Store) Due(ctx context.Context, now time.Time, limit int) ([]Key, error) {
	partitions := []string{parked}
	for n := range groups {
		partitions = append(partitions, receivedGroup(n))
	}
	var all []waiting
	for _, partition := range partitions {
		some, err := s.candidates(ctx, partition, now.UnixMilli(), limit)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b waiting) int {
		return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.key.Place, b.key.Place))
	})
	return keys(inTurns(all, limit)), nil
}

// inTurns selects from a list: the first delivery of each lane, in the order of the
// list, then the second of each, and so on.
func inTurns(list []waiting, limit int) []waiting {
	type choice struct {
		waiting
		turn int
	}
	turns := map[string]int{}
	choices := make([]choice, len(list))
	for i, w := range list {
		choices[i] = choice{w, turns[w.key.Lane]}
		turns[w.key.Lane]++
	}
	slices.SortStableFunc(choices, func(a, b choice) int { return cmp.Compare(a.turn, b.turn) })
	chosen := make([]waiting, min(len(list), limit))
	for i := range chosen {
		chosen[i] = choices[i].waiting
	}
	return chosen
}

// forever is later than every due time.
const forever = math.MaxInt64

// candidates reads the first deliveries of a partition of the index that are due
// until a time. It reads page by page, until it has found deliveries of lanes
// lanes, until there are no more, or until it has read Seen.
func (s Store) candidates(ctx context.Context, partition string, to int64, lanes int) (list []waiting, err error) {
	found := map[string]bool{}
	in := s.between(partition, 0, to, page)
	for n := 0; n < pages && len(found) < lanes; n++ {
		some, next, err := s.page(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, w := range some {
			found[w.key.Lane] = true
		}
		if list, in.ExclusiveStartKey = append(list, some...), next; len(next) == 0 {
			break
		}
	}
	return list, nil
}

// waiting reads the deliveries of a partition of the index between two values of
// due, both included: at most limit deliveries.
func (s Store) waiting(ctx context.Context, partition string, from, to int64, limit int) ([]waiting, error) {
	list, _, err := s.page(ctx, s.between(partition, from, to, limit))
	return list, err
}

func (s Store) between(partition string, from, to int64, limit int) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: &s.Table, IndexName: aws.String(index), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression: aws.String("due_in = :in AND due BETWEEN :from AND :to"),
		ExpressionAttributeValues: attr.Item{
			":in": attr.String(partition), ":from": attr.Int(from), ":to": attr.Int(to),
		},
	}
}

// page reads a page of the index. It returns the key at which the next page begins;
// empty after the last one.
func (s Store) page(ctx context.Context, in *dynamodb.QueryInput) (list []waiting, next attr.Item, err error) {
	out, err := s.DB.Query(ctx, in)
	if err != nil {
		return nil, nil, fmt.Errorf("list deliveries that are due: %w", err)
	}
	list = make([]waiting, len(out.Items))
	for i, item := range out.Items {
		r := attr.Read(item)
		list[i] = waiting{Key{Lane: r.String("pk"), Place: r.String("sk")}, r.Int("due")}
		if err := r.Err(); err != nil {
			return nil, nil, fmt.Errorf("decode index: %w", err)
		}
	}
	return list, out.LastEvaluatedKey, nil
}

func keys(list []waiting) []Key {
	found := make([]Key, len(list))
	for i, w := range list {
		found[i] = w.key
	}
	return found
}
