package delivery

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// erasers is the number of deliveries that Erase removes at once.
const erasers = 8

// Erase removes deliveries of an installation with their bodies, in any state: at
// most limit, the oldest first. It returns how many it removed, and whether there
// may be more. The items that recognise Timeless bodies stay until they expire:
// they hold a hash, and nothing of the body.
func (s Store) Erase(ctx context.Context, installation vcs.Installation, limit int) (erased int, more bool, err error) {
	page, err := s.table().Query(ctx, table.Query{
		Key: []table.Condition{table.Equal("pk", attr.String(Lane(installation)))}, Names: []string{"pk", "sk", attrID, attrParts}, Limit: limit,
	})
	if err != nil {
		return 0, false, fmt.Errorf("list deliveries: %w", err)
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(erasers)
	for _, found := range page.Items {
		group.Go(func() error { return s.erase(gctx, installation.VCS, found) })
	}
	return len(page.Items), page.Next != nil, group.Wait()
}

// erase removes one delivery. It removes the delivery's own item last, so that
// Erase still finds the delivery while a part of its body exists.
func (s Store) erase(ctx context.Context, system vcs.VCS, found attr.Item) error {
	r := attr.Read(found)
	id, parts := r.String(attrID), int(r.Int(attrParts))
	if err := r.Err(); err != nil {
		return fmt.Errorf("decode delivery: %w", err)
	}
	var keys []attr.Item
	for n := range parts {
		keys = append(keys, partKey(system, id, n))
	}
	for _, key := range append(keys, attr.Item{"pk": found["pk"], "sk": found["sk"]}) {
		if err := s.table().Delete(ctx, key); err != nil {
			return fmt.Errorf("erase delivery: %w", err)
		}
	}
	return nil
}
