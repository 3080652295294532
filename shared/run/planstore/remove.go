package planstore

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/run"
)

// RemoveUsed removes the plans that an apply has used. It is for an apply that has
// ended: whoever applies again has to plan again. It is safe to repeat.
func (s Store) RemoveUsed(ctx context.Context, apply run.ID) error {
	uses, err := s.Uses(ctx, apply)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for _, u := range uses {
		g.Go(func() error {
			if err := s.table().Delete(ctx, key(u.Plan, u.Dirspace)); err != nil {
				return err
			}
			_, err := s.Objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: aws.String(object(u.Plan, u.Dirspace, u.Digest))})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("remove used plans: %w", err)
	}
	return nil
}

// Remove removes all plans of a run: the items and the objects, those that no item
// names included. It is safe to repeat.
func (s Store) Remove(ctx context.Context, id run.ID) error {
	pages := s3.NewListObjectsV2Paginator(s.Objects, &s3.ListObjectsV2Input{Bucket: &s.Bucket, Prefix: aws.String(Prefix + string(id) + "/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list plans: %w", err)
		}
		if len(page.Contents) == 0 {
			continue
		}
		names := make([]types.ObjectIdentifier, len(page.Contents))
		for i, o := range page.Contents {
			names[i].Key = o.Key
		}
		out, err := s.Objects.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &s.Bucket, Delete: &types.Delete{Objects: names, Quiet: aws.Bool(true)}})
		if err != nil {
			return fmt.Errorf("remove plans: %w", err)
		}
		if len(out.Errors) > 0 {
			return fmt.Errorf("remove plans: %d objects stay, the first because of %s", len(out.Errors), aws.ToString(out.Errors[0].Code))
		}
	}
	items, err := s.items(ctx, id, "pk", "sk")
	if err != nil {
		return err
	}
	for _, k := range items {
		if err := s.table().Delete(ctx, k); err != nil {
			return fmt.Errorf("remove plan: %w", err)
		}
	}
	return nil
}
