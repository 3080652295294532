package installation

import (
	"context"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/erasure"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Erase removes an installation, in the name of its author, and reports whether
// there was one. It removes nothing of what belongs to the installation: that is
// stored elsewhere.
func (s Store) Erase(ctx context.Context, author change.Author, i vcs.Installation) (bool, error) {
	if err := access.CheckInstallation(i); err != nil {
		return false, err
	}
	return erasure.Item(ctx, s.DB, s.Table, key(i), author)
}
