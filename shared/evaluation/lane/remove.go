package lane

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// RemoveRepository removes the lane of a repository with its objects and its entries of
// the lists, at most limit items of each kind and as many objects. It returns how many
// items it removed, and whether there may be more. What another installation has of the
// repository stays. The holder of the lane loses it. It is safe to repeat.
func (s Store) RemoveRepository(ctx context.Context, r vcs.Repository, limit int) (removed int, more bool, err error) {
	if more, err := s.Objects.Remove(ctx, Folder(r), limit); err != nil || more {
		return 0, more, err
	}
	if removed, more, err = s.removeLane(ctx, r, limit); err != nil || more {
		return removed, more, err
	}
	for _, l := range []List{Locks, Waiting} {
		n, more, err := s.removeAll(ctx, limit, table.Equal("pk", attr.String(listOf(l, r.Installation))), table.BeginsWith("sk", attr.String(r.ID.Sortable()+"#")))
		if removed += n; err != nil || more {
			return removed, more, err
		}
	}
	// It goes last, because RemoveInstallation finds the lane by it.
	err = s.table().Delete(ctx, attr.Item{"pk": attr.String(lanesOf(r.Installation)), "sk": attr.String(string(r.ID))})
	if err != nil {
		return removed, false, fmt.Errorf("remove lane of %s: %w", r, err)
	}
	return removed, false, nil
}

// RemoveInstallation removes the lanes of an installation with all that RemoveRepository
// removes, at most limit items of each kind and as many objects. It is safe to repeat, and a
// repetition continues.
func (s Store) RemoveInstallation(ctx context.Context, of vcs.Installation, limit int) (removed int, more bool, err error) {
	if more, err := s.Objects.Remove(ctx, folderOf(of), limit); err != nil || more {
		return 0, more, err
	}
	page, err := s.table().Query(ctx, table.Query{Key: []table.Condition{table.Equal("pk", attr.String(lanesOf(of)))}, Limit: 1})
	if err != nil {
		return 0, false, fmt.Errorf("list lanes of %s: %w", of, err)
	}
	if len(page.Items) > 0 {
		removed, _, err = s.RemoveRepository(ctx, of.Repository(vcs.ID(attr.Read(page.Items[0]).String("sk"))), limit)
		return removed, true, err
	}
	for _, l := range []List{Locks, Waiting} {
		n, more, err := s.removeAll(ctx, limit, table.Equal("pk", attr.String(listOf(l, of))))
		if removed += n; err != nil || more {
			return removed, more, err
		}
	}
	return removed, false, nil
}

// removeLane removes the items of a lane that are of the repository's installation,
// and their reminders.
func (s Store) removeLane(ctx context.Context, r vcs.Repository, limit int) (removed int, more bool, err error) {
	query := table.Query{Key: []table.Condition{table.Equal("pk", attr.String(partition(r)))}, Names: []string{"pk", "sk", attrInstallation, attrDue, attrCheck}}
	for page, err := range s.table().Pages(ctx, query) {
		if err != nil {
			return removed, false, fmt.Errorf("list lane of %s: %w", r, err)
		}
		for _, item := range page.Items {
			if !mine(r, item) {
				continue
			}
			if removed == limit {
				return removed, true, nil
			}
			read := attr.Read(item)
			sort := read.String("sk")
			if read.Has(attrDue) {
				if err := s.reminders().Drop(ctx, reminder(r, sort, readMillis(read, attrDue))); err != nil {
					return removed, false, err
				}
			}
			if read.Has(attrCheck) {
				if err := s.reminders().Drop(ctx, Check{r, readMillis(read, attrCheck)}.reminder()); err != nil {
					return removed, false, err
				}
			}
			if err := s.table().Delete(ctx, key(r, sort)); err != nil {
				return removed, false, fmt.Errorf("remove %s of %s: %w", sort, r, err)
			}
			removed++
		}
	}
	return removed, false, nil
}

// removeAll removes the items of a query, at most limit, and reports whether there may
// be more.
func (s Store) removeAll(ctx context.Context, limit int, of ...table.Condition) (removed int, more bool, err error) {
	page, err := s.table().Query(ctx, table.Query{Key: of, Names: []string{"pk", "sk"}, Limit: limit})
	if err != nil {
		return 0, false, fmt.Errorf("list entries: %w", err)
	}
	for _, item := range page.Items {
		if err := s.table().Delete(ctx, item); err != nil {
			return removed, false, fmt.Errorf("remove entry: %w", err)
		}
		removed++
	}
	return removed, page.Next != nil, nil
}
