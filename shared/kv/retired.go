package kv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

const (
	// retiredPrefix with the first digit of a generation is the partition of its
	// item. There are sixteen partitions, so that deletes of many keys do not all
	// write to one.
	retiredPrefix = "RETIRED:"
	digits        = "0123456789abcdef"
	// retiredWorkers is how many generations are removed at the same time.
	retiredWorkers = 16
)

// Removed counts what RemoveRetired has removed.
type Removed struct {
	// Generations is the number of deleted generations that were handled.
	Generations int
	// Rows is the number of rows of these generations that were removed.
	Rows int
}

// retired is the item that removal.retire has written.
type retired struct {
	generation string
	ns, key    string
	at         int64 // ch_at, Unix milliseconds
}

// RemoveRetired removes the rows of deleted generations, if the delete began before
// the given time. A delete of a whole key has put these rows out of reach. The time
// must be so long ago that neither the delete nor a writer that saw the key before
// it can still be running. That is more than half an hour: a function runs for
// seconds, and AWS accepts a signed request for 15 minutes. If RemoveRetired fails,
// Removed still counts what it has removed.
func (s *Store) RemoveRetired(ctx context.Context, before time.Time) (Removed, error) {
	var mu sync.Mutex
	var sum Removed
	var failures []error
	var group errgroup.Group // without a context: one generation that cannot be removed must not stop the others
	group.SetLimit(retiredWorkers)
	for _, digit := range digits {
		err := s.eachItem(ctx, retiredPrefix+string(digit), []string{"sk", "ns", kvitem.KeyName, change.AttrAt}, func(r *attr.Reader) error {
			x := retired{string(r.Bytes("sk")), r.String("ns"), string(r.Bytes(kvitem.KeyName)), r.Int(change.AttrAt)}
			if err := r.Err(); err != nil || x.at >= before.UnixMilli() {
				return err
			}
			group.Go(func() error {
				rows, err := s.removeRetired(ctx, x)
				mu.Lock()
				defer mu.Unlock()
				sum.Rows += rows
				if err != nil {
					failures = append(failures, err)
					return nil
				}
				sum.Generations++
				return nil
			})
			return ctx.Err()
		})
		if err != nil {
			mu.Lock()
			failures = append(failures, err)
			mu.Unlock()
		}
		if ctx.Err() != nil {
			break
		}
	}
	_ = group.Wait() // the errors are in failures
	if len(failures) > 0 {
		return sum, fmt.Errorf("remove retired rows: %w", errors.Join(failures...))
	}
	return sum, nil
}

// removeRetired removes the rows of one generation, then the generation's item. It
// compares with the head: if the head still has the generation, the delete gave up
// before it changed the head, and all rows stay. A generation that the head does
// not have never comes back, because generations are random.
func (s *Store) removeRetired(ctx context.Context, x retired) (rows int, err error) {
	it, err := s.getItem(ctx, attr.Item{"pk": attr.String(x.ns), "sk": attr.Bytes(headSort(x.key))})
	if err != nil {
		return 0, err
	}
	h, err := decodeHead(it)
	if err != nil {
		return 0, err
	}
	if h.generation != x.generation {
		if rows, err = s.removePartition(ctx, x.ns+":"+x.generation); err != nil {
			return rows, err
		}
	}
	// Another delete may have retired the generation again since x was read. Then
	// the item stays for that delete.
	key := attr.Item{"pk": attr.String(retiredPrefix + x.generation[:1]), "sk": attr.Bytes([]byte(x.generation))}
	err = s.table.Delete(ctx, key, table.Equal(change.AttrAt, attr.Int(x.at)))
	if _, anew := table.ConditionFailed(err); err != nil && !anew {
		return rows, fmt.Errorf("forget generation: %w", err)
	}
	return rows, nil
}

// removePartition removes every item of a partition and returns how many it
// removed. To remove an item again changes nothing.
func (s *Store) removePartition(ctx context.Context, partition string) (removed int, err error) {
	writes := rate.NewLimiter(collectWrites, collectWrites)
	var batch []attr.Item
	flush := func() error {
		keys := batch
		batch = nil
		removed += len(keys)
		err := s.table.BatchDelete(ctx, keys, func(units float64) error { return spend(ctx, writes, units) })
		if err != nil {
			return fmt.Errorf("remove rows: %w", err)
		}
		return nil
	}
	err = s.eachItem(ctx, partition, []string{"pk", "sk"}, func(r *attr.Reader) error {
		batch = append(batch, attr.Item{"pk": attr.String(partition), "sk": attr.Bytes(slices.Clone(r.Bytes("sk")))})
		if len(batch) < table.MaxDeletes {
			return nil
		}
		return flush()
	})
	if err == nil && len(batch) > 0 {
		err = flush()
	}
	return removed, err
}
