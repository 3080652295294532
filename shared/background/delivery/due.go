package delivery

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// The lists of the index. A delivery first enters a list of received deliveries. One
// partition takes a thousand writes a second ("Partitions and data distribution",
// AWS documentation), so there are several.
const (
	groups = 4
	parked = "parked" // deliveries that are tried again when they are due
	stuck  = "stuck"  // deliveries that wait for an operator, by installation
)

func (s Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// queue returns the queue of the deliveries. The index by_due sorts those that are
// not over by the time at which they are due.
func (s Store) queue() queue.Queue {
	return queue.Queue{
		Table: s.table(), Index: "by_due", Lease: Lease,
		Names: queue.Names{Due: attrDue, List: attrDueIn, Tries: attrTries, Restarts: attrRedelivered},
	}
}

// work returns what the queue knows of a delivery.
func (d Delivery) work() queue.Work {
	return queue.Work{Tries: d.Tries, Restarts: d.redelivered}
}

// received returns the place of a delivery that has arrived, or that begins anew. The
// table's stream wakes a worker for it. It is due after a Lease.
func received(id string, now time.Time) queue.Place {
	return queue.At(receivedGroup(queue.Shard(id, groups)), now.Add(Lease))
}

func receivedGroup(n uint32) string { return string(Received) + "-" + strconv.Itoa(int(n)) }

// Due returns the keys of deliveries that are due, at most limit of them. These are
// parked deliveries at or after their next try, and deliveries that arrived or were
// begun a Lease ago and are not over. Installations take turns, so that none waits
// for another that has many: see queue.Queue.Due. If some cannot be listed, Due
// returns the others, and the error.
func (s Store) Due(ctx context.Context, now time.Time, limit int) ([]Key, error) {
	lists := []string{parked}
	for n := range uint32(groups) {
		lists = append(lists, receivedGroup(n))
	}
	due, err := s.queue().Due(ctx, lists, now, limit)
	if err != nil {
		err = fmt.Errorf("list deliveries that are due: %w", err)
	}
	return keys(due), err
}

func keys(list []queue.Entry) []Key {
	found := make([]Key, len(list))
	for i, e := range list {
		found[i] = Key{Lane: e.Lane, Place: e.Order}
	}
	return found
}
