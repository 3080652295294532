package main

import (
	"context"
	"slices"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

// slice is how many repositories of a list are kept between two looks at how far
// a delivery is. Only one whose list is longer, of an installation of very many
// repositories, goes on behind what its earlier tries have kept; all else is kept
// anew.
const slice = 1000

// keep keeps the facts that a delivery tells, one after the other, and counts
// them in d.Applied where a list among them is longer than a slice.
func (w *worker) keep(ctx context.Context, author change.Author, d *delivery.Delivery, facts []vcsevent.Fact) error {
	parts := sliced(facts)
	long := len(parts) > len(facts)
	for _, c := range parts[min(d.Applied, len(parts)):] {
		if err := w.facts.apply(ctx, author, *d, c); err != nil {
			return err
		}
		if long {
			d.Applied++
		}
	}
	return nil
}

// sliced are the facts with lists cut to slices.
func sliced(facts []vcsevent.Fact) (parts []vcsevent.Fact) {
	for _, c := range facts {
		switch c := c.(type) {
		case *vcsevent.RepositoriesListed:
			for list := range slices.Chunk(c.List, slice) {
				parts = append(parts, &vcsevent.RepositoriesListed{List: list, Moment: c.Moment})
			}
		case *vcsevent.RepositoriesGone:
			for ids := range slices.Chunk(c.IDs, slice) {
				parts = append(parts, &vcsevent.RepositoriesGone{IDs: ids, Moment: c.Moment})
			}
		default:
			parts = append(parts, c)
		}
	}
	return parts
}
