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

// index sorts what is not over by when it is due. It has the keys alone, and is
// a moment behind the table: the condition of BeginDue decides.
const index = "by_due"

// The partitions of the index. Each delivery passes through those of what has
// arrived, and one partition takes a thousand writes a second ("Partitions and
// data distribution", AWS documentation): so these are several.
const (
	groups = 4
	parked = "parked" // tried again when they are due
	stuck  = "stuck"  // by installation: see stuckAt
)

// received is the partition of a delivery that has arrived.
func received(id string) string {
	return receivedGroup(int(hashed(id) % groups))
}

func hashed(text string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text)) // cannot fail
	return h.Sum32()
}

func receivedGroup(n int) string { return string(Received) + "-" + strconv.Itoa(n) }

// waiting is a delivery in the index.
type waiting struct {
	key Key
	due int64
}

// What is looked at of a partition to choose some of each installation.
const (
	// page is how many deliveries are read at once.
	page = 1000
	// pages bounds how many pages are read, so that a reading stays short.
	pages = 10
)

// Seen is how many deliveries of a partition of the index are looked at, at most:
// what lies behind them is not seen until they are tried.
const Seen = pages * page

// Due returns the keys of deliveries that are due: parked ones whose next try
// has come, and those that arrived, or were begun, a Lease ago, and are not
// over; at most limit of them. Installations take turns, so that none waits for
// another that has many: as far as they are among the first Seen that are due of
// each partition of the index, which one that has more of them fills alone. Of an
// installation, those that wait longest come first.
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

// inTurns chooses from a list: the first of each lane, in the order of the list,
// then the second of each, and so on.
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

// forever is later than any delivery is due.
const forever = math.MaxInt64

// candidates reads the first of a partition of the index, those that are due until
// a time: page by page, until they are of so many lanes, there are no more, or Seen
// are read.
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

// waiting reads a partition of the index between two values of due, both
// included: at most limit deliveries.
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

// page reads a page of the index, and returns where the next one begins: empty
// after the last.
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
