package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/fault"
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
	stuck  = "stuck"  // due since nobody tries them any more
)

// received is the partition of a delivery that has arrived.
func received(id string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // cannot fail
	return receivedGroup(int(h.Sum32() % groups))
}

func receivedGroup(n int) string { return string(Received) + "-" + strconv.Itoa(n) }

// waiting is a delivery in the index.
type waiting struct {
	key Key
	due int64
}

// Due answers the keys of deliveries that are due: parked ones whose next try
// has come, and those that arrived, or were begun, a Lease ago, and are not
// over. Those that wait longest come first; at most limit of them.
func (s Store) Due(ctx context.Context, now time.Time, limit int) ([]Key, error) {
	partitions := []string{parked}
	for n := range groups {
		partitions = append(partitions, receivedGroup(n))
	}
	var all []waiting
	for _, partition := range partitions {
		some, err := s.waiting(ctx, partition, now, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b waiting) int {
		return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.key.Place, b.key.Place))
	})
	return keys(all[:min(len(all), limit)]), nil
}

// Stuck answers the keys of parked deliveries that are not tried again by
// themselves, those that have been so for longest first, at most limit of them.
func (s Store) Stuck(ctx context.Context, limit int) ([]Key, error) {
	list, err := s.waiting(ctx, stuck, forever, limit)
	return keys(list), err
}

// Waiting counts the parked deliveries that are tried again by themselves, up to
// limit.
func (s Store) Waiting(ctx context.Context, limit int) (int, error) {
	list, err := s.waiting(ctx, parked, forever, limit)
	return len(list), err
}

// Parked answers the parked deliveries of all installations: the stuck ones,
// then the others by their next try, at most limit of them.
func (s Store) Parked(ctx context.Context, limit int) ([]Delivery, error) {
	var found []waiting
	for _, partition := range []string{stuck, parked} {
		if rest := limit - len(found); rest > 0 {
			some, err := s.waiting(ctx, partition, forever, rest)
			if err != nil {
				return nil, err
			}
			found = append(found, some...)
		}
	}
	var list []Delivery
	for some := range slices.Chunk(keys(found), awsclient.MaxBatch) {
		deliveries, err := s.at(ctx, some)
		if err != nil {
			return nil, err
		}
		list = append(list, deliveries...)
	}
	// The index is a moment behind.
	return slices.DeleteFunc(list, func(d Delivery) bool { return d.State != Parked }), nil
}

// at reads the deliveries at some keys, in their order; those that are gone are
// left out.
func (s Store) at(ctx context.Context, some []Key) ([]Delivery, error) {
	asked := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	for _, k := range some {
		asked.Keys = append(asked.Keys, k.item())
	}
	items, err := awsclient.BatchGet(ctx, s.DB, s.Table, asked)
	if err != nil {
		return nil, fmt.Errorf("read parked deliveries: %w", err)
	}
	list := make([]Delivery, len(items))
	for i, item := range items {
		if list[i], err = decode(item); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b Delivery) int { return slices.Index(some, a.Key()) - slices.Index(some, b.Key()) })
	return list, nil
}

// forever is later than any delivery is due.
var forever = time.UnixMilli(1 << 52)

// waiting reads a partition of the index up to a time.
func (s Store) waiting(ctx context.Context, partition string, until time.Time, limit int) ([]waiting, error) {
	out, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, IndexName: aws.String(index), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression:    aws.String("due_in = :in AND due <= :until"),
		ExpressionAttributeValues: attr.Item{":in": attr.String(partition), ":until": attr.Int(until.UnixMilli())},
	})
	if err != nil {
		return nil, fmt.Errorf("list deliveries that are due: %w", err)
	}
	list := make([]waiting, len(out.Items))
	for i, item := range out.Items {
		r := attr.Read(item)
		list[i] = waiting{Key{Lane: r.String("pk"), Place: r.String("sk")}, r.Int("due")}
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("decode index: %w", err)
		}
	}
	return list, nil
}

func keys(list []waiting) []Key {
	found := make([]Key, len(list))
	for i, w := range list {
		found[i] = w.key
	}
	return found
}

// Redeliver has a delivery processed again, whatever came of it, with as many
// tries as a new one; fault.ErrNotFound if there is none. The table's stream
// wakes the worker. A try that is under way ends without a say.
func (s Store) Redeliver(ctx context.Context, vcs, id string, now time.Time) (Delivery, error) {
	d, err := s.Get(ctx, vcs, id)
	if err != nil {
		return Delivery{}, err
	}
	out, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: d.Key().item(), ReturnValues: types.ReturnValueAllNew,
		UpdateExpression: aws.String("SET #state = :received, tries = :none, redelivered = if_not_exists(redelivered, :none) + :one, " +
			"due_in = :in, due = :due REMOVE problem, next_try, begun, applied"),
		ConditionExpression:      aws.String("attribute_exists(pk)"),
		ExpressionAttributeNames: map[string]string{"#state": "state"},
		ExpressionAttributeValues: attr.Item{
			":received": attr.String(string(Received)), ":none": attr.Int(0), ":one": attr.Int(1),
			":in": attr.String(received(d.ID)), ":due": attr.Int(now.Add(Lease).UnixMilli()),
		},
	})
	var gone *types.ConditionalCheckFailedException
	if errors.As(err, &gone) {
		return Delivery{}, fault.ErrNotFound
	}
	if err != nil {
		return Delivery{}, fmt.Errorf("redeliver: %w", err)
	}
	return decode(out.Attributes)
}
