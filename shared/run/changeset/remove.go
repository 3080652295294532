package changeset

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// RemoveRepository removes the change sets of a repository, at most limit items and as
// many objects. It returns how many items it removed, and whether there may be more. It
// is safe to repeat.
func (s Store) RemoveRepository(ctx context.Context, of vcs.Repository, limit int) (removed int, more bool, err error) {
	return s.remove(ctx, folderOf(of), limit,
		table.Equal("pk", partition(of.Installation)), table.BeginsWith("sk", attr.String(ofRepository(of.ID))))
}

// RemoveInstallation removes the change sets of an installation in the same way.
func (s Store) RemoveInstallation(ctx context.Context, of vcs.Installation, limit int) (removed int, more bool, err error) {
	return s.remove(ctx, folder(of), limit, table.Equal("pk", partition(of)))
}

// remove removes objects below a name, those that no item names included, and then
// items.
func (s Store) remove(ctx context.Context, below string, limit int, of ...table.Condition) (removed int, more bool, err error) {
	if more, err = s.removeObjects(ctx, below, limit); err != nil {
		return 0, false, err
	}
	page, err := s.table().Query(ctx, table.Query{Key: of, Names: []string{"pk", "sk"}, Limit: limit})
	if err != nil {
		return 0, false, fmt.Errorf("list change sets: %w", err)
	}
	for _, key := range page.Items {
		if err := s.table().Delete(ctx, key); err != nil {
			return removed, false, fmt.Errorf("remove change set: %w", err)
		}
		removed++
	}
	return removed, more || page.Next != nil, nil
}

func (s Store) removeObjects(ctx context.Context, below string, limit int) (more bool, err error) {
	page, err := s.Objects.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.Bucket, Prefix: &below, MaxKeys: aws.Int32(int32(limit))})
	if err != nil {
		return false, fmt.Errorf("list change sets: %w", err)
	}
	if len(page.Contents) == 0 {
		return false, nil
	}
	names := make([]types.ObjectIdentifier, len(page.Contents))
	for i, o := range page.Contents {
		names[i].Key = o.Key
	}
	out, err := s.Objects.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &s.Bucket, Delete: &types.Delete{Objects: names, Quiet: aws.Bool(true)}})
	if err != nil {
		return false, fmt.Errorf("remove change sets: %w", err)
	}
	if len(out.Errors) > 0 {
		return false, fmt.Errorf("remove change sets: %d objects stay, the first because of %s", len(out.Errors), aws.ToString(out.Errors[0].Code))
	}
	return aws.ToBool(page.IsTruncated), nil
}
