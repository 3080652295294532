// Package garbage removes what no record of the key-value store names any more:
// rows of deleted keys, objects, and uploads that nobody completed.
//
// The invariant: the collector removes nothing that a record names, that a write
// under way may still name, or that a reader may still be reading because a record
// named it before.
//
// The invariant rests on two properties of the store. First, an object is named
// only by the one write of one row that made it. So if nobody names the object and
// that write is over, nobody will name it later. Second, a generation of rows that
// is not the generation of its key's head never comes back. So the collector needs
// no lock. It may be stopped, or run twice at the same time, at any moment.
package garbage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// WriteRest is the value of Rest.Write for AWS. There a function runs for at most
// 25 seconds (template.yaml), and a signed request is refused after 15 minutes
// (Signature Version 4). The rest of the hour allows for clocks that differ.
const WriteRest = time.Hour

// MinKeep is the minimum of Rest.Keep for AWS. There the URL of a download lives 5
// minutes, and a reader of values runs as long as its function.
const MinKeep = time.Hour

// Rest says how long the collector leaves things alone.
type Rest struct {
	// Write is longer than any write takes, from its first call to the moment at
	// which no part of it can take effect any more. The collector does not look at
	// younger objects and deletes.
	Write time.Duration
	// Keep is how long an object stays after it was first found unnamed. It must be
	// longer than a reader takes. During this time, a table that is restored to an
	// earlier time still finds its objects.
	Keep time.Duration
}

// namespacesAtOnce is how many namespaces are collected at the same time. Each
// needs about 100 bytes of memory for an object.
const namespacesAtOnce = 8

// Collector collects the garbage of one table and bucket.
type Collector struct {
	records   *kv.Store
	artifacts *artifact.Store
	objects   *s3.Client
	bucket    string
	rest      Rest
}

// New returns a collector for the stores of one table and their bucket.
func New(records *kv.Store, artifacts *artifact.Store, objects *s3.Client, bucket string, rest Rest) *Collector {
	return &Collector{records, artifacts, objects, bucket, rest}
}

// Run collects the garbage of every namespace once. author is recorded in the items
// that it changes, and author.At is the present time. If ctx ends, the rest waits
// for the next run; that is not an error. A failure in one namespace does not stop
// the others. If Run returns an error, the report still says what was done.
func (c *Collector) Run(ctx context.Context, author change.Author) (Report, error) {
	clock := clock{author.At, time.Now()}
	var report Report
	// RemoveRetired gets half of the time: a large backlog of rows must not delay
	// the objects for ever.
	half, stop := halfOf(ctx)
	removed, err := c.records.RemoveRetired(half, author.At.Add(-c.rest.Write))
	stop()
	report.Generations, report.Rows = removed.Generations, removed.Rows
	var failures []error
	if err != nil && half.Err() == nil {
		failures = append(failures, err)
	}
	namespaces, err := c.records.Namespaces(ctx)
	if err != nil {
		return report, errors.Join(append(failures, err)...)
	}
	var mu sync.Mutex
	var group errgroup.Group // without a context: one failure must not stop the other namespaces
	group.SetLimit(namespacesAtOnce)
	for _, ns := range namespaces {
		group.Go(func() error {
			p := pass{Collector: c, clock: clock, ns: ns, author: author}
			var err error
			if err = ctx.Err(); err == nil {
				err = p.run(ctx)
			}
			mu.Lock()
			defer mu.Unlock()
			report.add(p.report)
			switch {
			case err == nil:
				report.Namespaces++
			case ctx.Err() != nil:
				report.Waiting++
			default:
				failures = append(failures, fmt.Errorf("collect %s: %w", ns, err))
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in failures
	return report, errors.Join(failures...)
}

// halfOf returns a context with half of the time that ctx has left.
func halfOf(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/2)
}

// clock gives the time during a run. start is the given time at which the run
// began.
type clock struct{ start, began time.Time }

func (c clock) now() time.Time { return c.start.Add(time.Since(c.began)) }
