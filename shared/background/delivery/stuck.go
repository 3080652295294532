package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// MaxStuck is how many deliveries of an installation may be stuck. Somebody who has
// the secret of a group's webhook can send any number of deliveries that cannot be
// read. Above MaxStuck they are dismissed at once. If several get stuck at the same
// moment, a few more than MaxStuck may stay.
const MaxStuck = 100

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
// If some deliveries cannot be listed, Stuck returns the others, and the error.
func (s Store) Stuck(ctx context.Context) ([]Backlog, error) {
	list, err := s.queue().Parked(ctx, stuck, MaxStuck)
	return backlogs(list), err
}

// Waiting returns the installations that have parked deliveries which are tried
// again by themselves. It counts only the first queue.Seen deliveries. If some
// cannot be listed, Waiting returns the others, and the error.
func (s Store) Waiting(ctx context.Context) ([]Backlog, error) {
	list, err := s.queue().First(ctx, parked, queue.Seen)
	return backlogs(list), err
}

// backlogs counts deliveries by lane, in the order of the list.
func backlogs(list []queue.Entry) (found []Backlog) {
	at := map[string]int{}
	for _, e := range list {
		n, ok := at[e.Lane]
		if !ok {
			n = len(found)
			at[e.Lane] = n
			found = append(found, Backlog{Installation: ofLane(e.Lane), Since: e.At()})
		}
		found[n].Count++
	}
	return found
}

// StuckOf returns an installation's stuck deliveries, in the order in which they
// became stuck. An installation without an id means the deliveries that name none.
func (s Store) StuckOf(ctx context.Context, installation vcs.Installation) ([]Delivery, error) {
	some, err := s.queue().ParkedOf(ctx, stuck, Lane(installation))
	if err != nil {
		return nil, err
	}
	return s.parkedAt(ctx, keys(some))
}

// Parked returns the parked deliveries of all installations, at most limit of them:
// the stuck ones first, then the others by their next try. In both parts
// installations take turns, so that one with many hides no other. For those that
// are tried again, this holds among the first queue.Seen.
func (s Store) Parked(ctx context.Context, limit int) ([]Delivery, error) {
	found, err := s.queue().Parked(ctx, stuck, limit)
	if err != nil {
		return nil, err
	}
	found = queue.InTurns(found, limit)
	if rest := limit - len(found); rest > 0 {
		others, err := s.queue().First(ctx, parked, rest)
		if err != nil {
			return nil, err
		}
		found = append(found, queue.InTurns(others, rest)...)
	}
	return s.parkedAt(ctx, keys(found))
}

// parkedAt reads the deliveries at some keys, in the order of the keys. It leaves
// out those that are not parked any more, because the index is a little behind.
func (s Store) parkedAt(ctx context.Context, all []Key) ([]Delivery, error) {
	var list []Delivery
	for some := range slices.Chunk(all, table.MaxBatch) {
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
	var asked table.Batch
	for _, k := range some {
		asked.Keys = append(asked.Keys, k.item())
	}
	items, err := s.table().BatchGet(ctx, asked)
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
