package delivery

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/vcs"
)

// MaxStuck is how many deliveries of an installation may be stuck. Somebody who has
// the secret of a group's webhook can send any number of deliveries that cannot be
// read. Above MaxStuck they are dismissed at once. If several get stuck at the same
// moment, a few more than MaxStuck may stay.
const MaxStuck = 100

// The partition of stuck deliveries sorts them by installation. So a query can pass
// over one installation, however many it has. due consists of the bucket of the
// installation's lane and, after it, the time at which the delivery became stuck.
const (
	span    = 10_000_000_000_000 // milliseconds until the year 2286
	buckets = 900_000            // as many as fit into an int64
)

// rounds is the maximum number of queries that look for installations with stuck
// deliveries.
const rounds = 50

func bucket(lane string) int64 { return 1 + int64(hashed(lane)%buckets) }

// stuckAt returns the value of due for a delivery that becomes stuck at a time.
func stuckAt(lane string, now time.Time) int64 { return bucket(lane)*span + now.UnixMilli() }

// Backlog says how many deliveries of an installation are parked.
type Backlog struct {
	// Installation is their installation. Without an id it means the deliveries
	// that name none.
	Installation vcs.Installation
	// Count is their number. Stuck deliveries are counted up to MaxStuck.
	Count int
	// Since is the time at which the first of them became stuck. For those that are
	// tried again, it is the time of the first next try.
	Since time.Time
}

// String describes the backlog for operators.
func (b Backlog) String() string {
	return fmt.Sprintf("%s %s: %d", b.Installation.VCS, hook(b.Installation.ID), b.Count)
}

// Stuck returns the installations that have stuck deliveries. Those whose
// deliveries have been stuck longest come first. An installation with many does not
// hide another one. If thousands of installations have some, not all are returned.
func (s Store) Stuck(ctx context.Context) ([]Backlog, error) {
	list, err := s.stuck(ctx, MaxStuck)
	return backlogs(list), err
}

// Waiting returns the installations that have parked deliveries which are tried
// again by themselves. It counts only the first Seen deliveries.
func (s Store) Waiting(ctx context.Context) ([]Backlog, error) {
	list, err := s.candidates(ctx, parked, forever, Seen)
	return backlogs(list), err
}

// backlogs counts deliveries by lane, in the order of the list.
func backlogs(list []waiting) (found []Backlog) {
	at := map[string]int{}
	for _, w := range list {
		n, ok := at[w.key.Lane]
		if !ok {
			n = len(found)
			at[w.key.Lane] = n
			found = append(found, Backlog{Installation: ofLane(w.key.Lane), Since: time.UnixMilli(w.due % span).UTC()})
		}
		found[n].Count++
	}
	return found
}

// stuck returns the stuck deliveries in the order in which they became stuck: at
// most each of one installation.
func (s Store) stuck(ctx context.Context, each int) (list []waiting, err error) {
	for from, n := int64(0), 0; n < rounds; n++ {
		some, err := s.waiting(ctx, stuck, from, forever, each)
		if err != nil {
			return nil, err
		}
		if len(some) < each { // the last page
			list = append(list, some...)
			break
		}
		// The last installation may have more deliveries than were read. If the
		// page has other installations too, the last one is read again. If it
		// filled the page, the next query passes over it.
		last := some[len(some)-1].due / span
		if from = last * span; some[0].due/span == last {
			from += span
		} else {
			some = slices.DeleteFunc(some, func(w waiting) bool { return w.due/span == last })
		}
		list = append(list, some...)
	}
	slices.SortStableFunc(list, func(a, b waiting) int {
		return cmp.Or(cmp.Compare(a.due%span, b.due%span), cmp.Compare(a.key.Place, b.key.Place))
	})
	return list, nil
}

// stuckOf returns the keys of an installation's stuck deliveries, in the order in
// which they became stuck. It reads one page of the index, which holds more than
// MaxStuck.
func (s Store) stuckOf(ctx context.Context, lane string) ([]Key, error) {
	out, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, IndexName: aws.String(index),
		KeyConditionExpression: aws.String("due_in = :in AND due BETWEEN :from AND :to"), FilterExpression: aws.String("pk = :lane"),
		ExpressionAttributeValues: attr.Item{
			":in": attr.String(stuck), ":from": attr.Int(bucket(lane) * span), ":to": attr.Int((bucket(lane)+1)*span - 1), ":lane": attr.String(lane),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("list stuck deliveries: %w", err)
	}
	found := make([]Key, len(out.Items))
	for i, item := range out.Items {
		found[i] = Key{Lane: lane, Place: attr.Read(item).String("sk")}
	}
	return found, nil
}

// StuckOf returns an installation's stuck deliveries, in the order in which they
// became stuck. An installation without an id means the deliveries that name none.
func (s Store) StuckOf(ctx context.Context, installation vcs.Installation) ([]Delivery, error) {
	some, err := s.stuckOf(ctx, Lane(installation))
	if err != nil {
		return nil, err
	}
	return s.parkedAt(ctx, some)
}

// Parked returns the parked deliveries of all installations, at most limit of them:
// the stuck ones first, then the others by their next try. In both parts
// installations take turns, so that one with many hides no other. For those that
// are tried again, this holds among the first Seen.
func (s Store) Parked(ctx context.Context, limit int) ([]Delivery, error) {
	found, err := s.stuck(ctx, limit)
	if err != nil {
		return nil, err
	}
	found = inTurns(found, limit)
	if rest := limit - len(found); rest > 0 {
		others, err := s.candidates(ctx, parked, forever, rest)
		if err != nil {
			return nil, err
		}
		found = append(found, inTurns(others, rest)...)
	}
	return s.parkedAt(ctx, keys(found))
}

// parkedAt reads the deliveries at some keys, in the order of the keys. It leaves
// out those that are not parked any more, because the index is a little behind.
func (s Store) parkedAt(ctx context.Context, all []Key) ([]Delivery, error) {
	var list []Delivery
	for some := range slices.Chunk(all, awsclient.MaxBatch) {
		deliveries, err := s.at(ctx, some)
		if err != nil {
			return nil, err
		}
		list = append(list, deliveries...)
	}
	return slices.DeleteFunc(list, func(d Delivery) bool { return d.State != Parked }), nil
}

// at reads the deliveries at some keys, in the order of the keys. It leaves out
// those that no longer exist.
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

// ofLane returns the installation of a lane that Lane has written.
func ofLane(lane string) vcs.Installation {
	system, id, _ := strings.Cut(lane, "#")
	if id == noInstallation {
		id = ""
	}
	return vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}
}
