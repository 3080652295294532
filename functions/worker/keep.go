package main

import (
	"context"
	"reflect"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/delivery"
	"github.com/opsplane/opsplane/shared/vcsevent"
)

const (
	// slice is how many facts are kept between two looks at how far a delivery
	// is. Only what tells more than one slice, an installation of very many
	// repositories, goes on behind it in its next try; all else is kept anew.
	slice = 1000
	// atOnce is how many facts of one kind are written beside each other.
	atOnce = 16
)

// keep keeps the facts that a delivery tells, from behind those that its earlier
// tries have kept, and counts them in d.Applied. Facts of one kind that follow
// each other are about different things, and are kept beside each other; kinds
// one after the other.
func (w *worker) keep(ctx context.Context, author change.Author, d *delivery.Delivery, changes []vcsevent.Change) error {
	long := len(changes) > slice
	rest := changes[min(d.Applied, len(changes)):]
	for len(rest) > 0 {
		n := alike(rest)
		group, within := errgroup.WithContext(ctx)
		group.SetLimit(atOnce)
		for _, c := range rest[:n] {
			group.Go(func() (err error) {
				defer caught(&err)
				return w.facts.apply(within, author, *d, c)
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if rest = rest[n:]; long {
			d.Applied += n
		}
	}
	return nil
}

// alike is how many facts, from the first, are of its kind; at most a slice.
func alike(changes []vcsevent.Change) int {
	kind := reflect.TypeOf(changes[0])
	for n, c := range changes[:min(len(changes), slice)] {
		if reflect.TypeOf(c) != kind {
			return n
		}
	}
	return min(len(changes), slice)
}
