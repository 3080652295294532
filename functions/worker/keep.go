package main

import (
	"context"
	"slices"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

// maxPart is how many repositories of a list are stored before the progress of the
// delivery is counted. Only a delivery with a longer list, of an installation with
// very many repositories, continues after the parts that earlier tries have stored.
// Other deliveries are stored from the beginning again.
const maxPart = 1000

// keep stores the facts of a delivery, one after the other. If it contains a list
// that is longer than maxPart, keep counts the stored facts in d.Applied.
func (w *worker) keep(ctx context.Context, author change.Author, d *delivery.Delivery, facts []vcsevent.Fact) error {
	parts := inParts(facts)
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

// inParts returns the facts with lists cut into parts.
func inParts(facts []vcsevent.Fact) (parts []vcsevent.Fact) {
	for _, c := range facts {
		switch c := c.(type) {
		case *vcsevent.RepositoriesListed:
			for list := range slices.Chunk(c.List, maxPart) {
				parts = append(parts, &vcsevent.RepositoriesListed{List: list, Moment: c.Moment})
			}
		case *vcsevent.RepositoriesGone:
			for ids := range slices.Chunk(c.IDs, maxPart) {
				parts = append(parts, &vcsevent.RepositoriesGone{IDs: ids, Moment: c.Moment})
			}
		default:
			parts = append(parts, c)
		}
	}
	return parts
}
