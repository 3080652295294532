package installation

import (
	"context"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/erasure"
)

// Erase removes an installation by its author, and reports whether there was one.
// What belongs to it lies elsewhere and stays.
func (s Store) Erase(ctx context.Context, author change.Author, vcs, id string) (bool, error) {
	if err := ValidID(vcs, id); err != nil {
		return false, err
	}
	return erasure.Item(ctx, s.DB, s.Table, key(vcs, id), author)
}
