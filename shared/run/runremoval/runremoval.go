// Package runremoval knows what other packages than runstore keep of a run outside the
// run's own partition. So everything that removes runs removes the same.
package runremoval

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// Before returns what runstore's removals call before they remove a run: it removes the
// objects of the run's outputs, plans and manifest.
func Before(outputs *output.Store, plans planstore.Store) runstore.Before {
	manifest := Unfinished(plans.Objects, plans.Bucket)
	return func(ctx context.Context, r run.Run) error {
		if err := outputs.Remove(ctx, r.ID); err != nil {
			return err
		}
		if err := plans.Remove(ctx, r.ID); err != nil {
			return err
		}
		return manifest(ctx, r)
	}
}

// Unfinished returns what runstore.Store.RemoveUnfinished calls for a run whose creation
// was not finished: it removes the object of the run's manifest. Such a run has no
// outputs and no plans. It is no error if there is no object.
func Unfinished(objects *s3.Client, bucket string) runstore.Before {
	return func(ctx context.Context, r run.Run) error {
		if _, err := objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String(runstore.ManifestObject(r.ID))}); err != nil {
			return fmt.Errorf("remove manifest: %w", err)
		}
		return nil
	}
}
