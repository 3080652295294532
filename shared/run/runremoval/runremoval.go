// Package runremoval knows what other packages than runstore keep of a run outside the
// run's own partition. So everything that removes runs removes the same.
package runremoval

import (
	"context"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// Before returns what runstore's removals call before they remove a run: it removes the
// objects of the run's outputs and plans.
func Before(outputs *output.Store, plans planstore.Store) runstore.Before {
	return func(ctx context.Context, r run.Run) error {
		if err := outputs.Remove(ctx, r.ID); err != nil {
			return err
		}
		return plans.Remove(ctx, r.ID)
	}
}
