package kv

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

const (
	// rowReaders is how many keys' rows the collector reads at the same time.
	rowReaders = 32
	// collectReads and collectWrites are the maximum numbers of read and write
	// units a second that the collector takes from one partition. They are half of
	// what DynamoDB gives a partition: 3,000 and 1,000 ("Burst and adaptive
	// capacity", DynamoDB developer guide). So the collector does not cause
	// throttling of callers.
	collectReads, collectWrites = 1500, 500
)

// Namespaces returns every namespace in which there may be garbage. The first is
// the namespace for which Collecting was called longest ago.
func (s *Store) Namespaces(ctx context.Context) ([]vcs.Installation, error) {
	type registered struct {
		in vcs.Installation
		at int64
	}
	var all []registered
	err := s.eachItem(ctx, namespaces, []string{"sk", "gc"}, func(r *attr.Reader) error {
		in, ok := parseStored(string(r.Bytes("sk")))
		if !ok {
			return fmt.Errorf("namespace %q is none", r.Bytes("sk"))
		}
		all = append(all, registered{in, r.Int("gc")})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	slices.SortStableFunc(all, func(a, b registered) int { return int(min(1, max(-1, a.at-b.at))) })
	sorted := make([]vcs.Installation, len(all))
	for i, r := range all {
		sorted[i] = r.in
	}
	return sorted, nil
}

// Collecting records that the collection of a namespace starts now. It is called
// before the work: a namespace whose collection never finishes must not delay the
// others.
func (s *Store) Collecting(ctx context.Context, ns vcs.Installation, now time.Time) error {
	if err := s.sentOnce.Update(ctx, table.Change(NamespaceKey(ns)).Set("gc", attr.Int(now.UnixMilli()))); err != nil {
		return fmt.Errorf("note collection: %w", err)
	}
	return nil
}

// Objects calls do with the id of every object that a row names: the object of a
// large value or the file of an artifact. It reads all rows of the namespace with
// strongly consistent reads, one after another. It never runs two calls of do at
// the same time. It does not miss a row that exists during the whole call.
func (s *Store) Objects(ctx context.Context, ns vcs.Installation, do func(id string)) error {
	var one sync.Mutex
	named := func(r *attr.Reader) {
		if id := r.String(kvitem.Object); id != "" {
			one.Lock()
			defer one.Unlock()
			do(id)
		}
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(rowReaders)
	err := s.eachItem(gctx, Stored(ns), []string{kvitem.Generation, kvitem.More, kvitem.Object}, func(head *attr.Reader) error {
		named(head)
		generation, more := head.String(kvitem.Generation), head.Bool(kvitem.More)
		if err := head.Err(); err != nil || !more {
			return err
		}
		group.Go(func() error {
			return s.eachItem(gctx, rowPartition(ns, generation), []string{kvitem.Object}, func(row *attr.Reader) error {
				named(row)
				return nil
			})
		})
		return nil
	})
	if rowsErr := group.Wait(); rowsErr != nil {
		err = rowsErr // the reading of heads ended because of this error
	}
	if err != nil {
		return fmt.Errorf("read what rows name: %w", err)
	}
	return nil
}

// eachItem calls do for every item of a partition, with the given attributes. It
// stops with an error at an attribute of a wrong type. It reads slowly enough to
// leave capacity for others who read the partition.
func (s *Store) eachItem(ctx context.Context, partition string, names []string, do func(*attr.Reader) error) error {
	reads := rate.NewLimiter(collectReads, collectReads)
	all := table.Query{Key: []table.Condition{table.Equal("pk", attr.String(partition))}, Names: names, Measure: true}
	for page, err := range s.table.Pages(ctx, all) {
		if err != nil {
			return fmt.Errorf("query items: %w", err)
		}
		if err := spend(ctx, reads, page.Units); err != nil {
			return err
		}
		for _, it := range page.Items {
			r := attr.Read(it)
			if err := do(r); err != nil {
				return err
			}
			if err := decoded(r.Err()); err != nil {
				return err
			}
		}
	}
	return nil
}

// spend waits until the limiter has room for the units that a call used.
func spend(ctx context.Context, room *rate.Limiter, units float64) error {
	if err := room.WaitN(ctx, min(int(math.Ceil(units)), room.Burst())); err != nil {
		return fmt.Errorf("wait for capacity: %w", err)
	}
	return nil
}
