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

// MaxStuck is how many deliveries of an installation may be stuck. Who has the
// secret of a group's webhook can send any number of deliveries that cannot be
// read: those beyond are dismissed at once. A few more may be kept where several
// get stuck at the same moment.
const MaxStuck = 100

// The partition of what is stuck has the installations one behind the other, so
// that one can be passed over, however many it has: due is the bucket of the
// installation's lane, and behind it the time at which the delivery was given up.
const (
	span    = 10_000_000_000_000 // milliseconds until the year 2286
	buckets = 900_000            // as many as an int64 holds
)

// rounds bounds how many queries look for installations with stuck deliveries.
const rounds = 50

func bucket(lane string) int64 { return 1 + int64(hashed(lane)%buckets) }

// stuckAt is what due is of a delivery that was given up at a time.
func stuckAt(lane string, now time.Time) int64 { return bucket(lane)*span + now.UnixMilli() }

// Backlog is how many deliveries of an installation are parked.
type Backlog struct {
	// Installation says whose they are. Without an id it stands for those that
	// name none.
	Installation vcs.Installation
	// Count is how many there are. Stuck ones are counted up to MaxStuck.
	Count int
	// Since is when the first of them was given up; of those that are tried again,
	// when the first is.
	Since time.Time
}

// String is the backlog in words for operators.
func (b Backlog) String() string {
	return fmt.Sprintf("%s %s: %d", b.Installation.VCS, hook(b.Installation.ID), b.Count)
}

// Stuck answers which installations have deliveries that are not tried again by
// themselves, those that have had some for longest first. However many one has,
// it hides no other; of thousands of installations not all are seen.
func (s Store) Stuck(ctx context.Context) ([]Backlog, error) {
	list, err := s.stuck(ctx, MaxStuck)
	return backlogs(list), err
}

// Waiting answers which installations have parked deliveries that are tried again
// by themselves, as far as they are among the first Seen.
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

// stuck reads which deliveries are stuck, by when they were given up: of each
// installation at most so many.
func (s Store) stuck(ctx context.Context, each int) (list []waiting, err error) {
	for from, n := int64(0), 0; n < rounds; n++ {
		some, err := s.waiting(ctx, stuck, from, forever, each)
		if err != nil {
			return nil, err
		}
		if len(some) < each { // all that is left
			list = append(list, some...)
			break
		}
		// The last installation may have more than were read. It is read again, or
		// passed over where it has filled the page.
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

// stuckOf answers the keys of an installation's stuck deliveries, those that were
// given up first, as far as a page of the index has them: more than MaxStuck.
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

// StuckOf returns an installation's stuck deliveries, those that were given up
// first. An installation without an id stands for those that name none.
func (s Store) StuckOf(ctx context.Context, installation vcs.Installation) ([]Delivery, error) {
	some, err := s.stuckOf(ctx, Lane(installation))
	if err != nil {
		return nil, err
	}
	return s.parkedAt(ctx, some)
}

// Parked answers the parked deliveries of all installations: the stuck ones,
// then the others by their next try, at most limit of them. Of each kind
// installations take turns, so that one with many hides no other: of those that
// are tried again, as far as they are among the first Seen.
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

// parkedAt reads the deliveries at some keys that are parked, in their order: the
// index is a moment behind.
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

// ofLane reads what Lane has written.
func ofLane(lane string) vcs.Installation {
	system, id, _ := strings.Cut(lane, "#")
	if id == noInstallation {
		id = ""
	}
	return vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}
}
