// Package garbage removes what no record of the key-value store refers to any
// more: rows of deleted keys, objects, and uploads that nobody completed.
//
// Its invariant: nothing is removed that a record names, that a write under way
// may yet name, or that a reader who saw it named may still be reading. It
// rests on two properties of the store. An object is named by the one write of
// one row that made it, so once nobody names it and that write is over, nobody
// ever will. And a generation of rows that the head of its key does not have
// never comes back. So the collector needs no lock, and may be stopped or run
// twice at any moment.
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

// WriteRest is Rest.Write where requests live as long as they do on AWS: a
// function runs for at most 25 seconds (template.yaml), and a signed request is
// refused after 15 minutes (Signature Version 4). It leaves room for clocks.
const WriteRest = time.Hour

// MinKeep is the least Rest.Keep for the same: a download's URL lives 5
// minutes, and a reader of values as long as its function.
const MinKeep = time.Hour

// Rest is how long things are left alone.
type Rest struct {
	// Write is longer than any write takes from its first call to the moment at
	// which nothing of it can take effect any more. Younger objects and deletes are
	// not looked at.
	Write time.Duration
	// Keep is how long an object stays after it was first found unnamed. It must be
	// longer than a reader takes. While it lasts, a table that is restored to an
	// earlier time still finds its objects.
	Keep time.Duration
}

// namespacesAtOnce is how many namespaces are collected at once. What each
// needs in memory is about 100 bytes for an object.
const namespacesAtOnce = 8

// Collector collects the garbage of one table and bucket.
type Collector struct {
	records   *kv.Store
	artifacts *artifact.Store
	objects   *s3.Client
	bucket    string
	rest      Rest
}

// New makes a collector over the stores of one table, and over their bucket.
func New(records *kv.Store, artifacts *artifact.Store, objects *s3.Client, bucket string, rest Rest) *Collector {
	return &Collector{records, artifacts, objects, bucket, rest}
}

// Run goes once through everything. author is who stands in the items that it
// changes; author.At is now. When ctx is over, what is left waits for the next
// run, and is no error. A failure in one namespace does not hold up the others;
// the report tells what was done also where there is an error.
func (c *Collector) Run(ctx context.Context, author change.Author) (Report, error) {
	clock := clock{author.At, time.Now()}
	var report Report
	// A large backlog of rows must not keep the objects waiting for ever.
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
	var group errgroup.Group // without a context: one failure must not end the others
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
	_ = group.Wait() // failures has what went wrong
	return report, errors.Join(failures...)
}

// halfOf answers a context with half of the time that ctx has left.
func halfOf(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/2)
}

// clock tells the time of a run, which began at a given time.
type clock struct{ start, began time.Time }

func (c clock) now() time.Time { return c.start.Add(time.Since(c.began)) }
