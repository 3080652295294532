package pullrequest

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// side is how many pull requests are removed at the same time.
const side = 10

// Remove removes the pull requests of a repository whose newest fact has the
// version or an older one. It looks at no more than limit pull requests. It begins
// after a cursor, or with the first one if the cursor is empty. It returns how many
// it looked at, and the cursor after which to continue; the cursor is empty after
// the last one. A second call removes nothing more.
func (s Store) Remove(ctx context.Context, of vcs.Repository, version vcs.Version, after string, limit int) (seen int, next string, err error) {
	prefix := of.ID.Sortable() + "#"
	in := &dynamodb.QueryInput{
		TableName: &s.Table, IndexName: aws.String("by_repository"), ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression: aws.String("pk = :pk AND by_repository BETWEEN :from AND :to"),
		ExpressionAttributeValues: attr.Item{
			":pk": partition(of.Installation)["pk"], ":from": attr.String(prefix), ":to": attr.String(prefix + lastPlace),
		},
	}
	if after != "" {
		in.ExpressionAttributeValues[":from"] = attr.String(after + " ")
	}
	out, err := s.DB.Query(ctx, in)
	if err != nil {
		return 0, "", fmt.Errorf("list pull requests of a repository: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(side)
	for _, item := range out.Items {
		group.Go(func() error { return s.remove(ctx, attr.Item{"pk": item["pk"], "sk": item["sk"]}, version) })
		next = attr.Read(item).String("by_repository")
	}
	if len(out.LastEvaluatedKey) == 0 {
		next = ""
	}
	return len(out.Items), next, group.Wait()
}

func (s Store) remove(ctx context.Context, key attr.Item, version vcs.Version) error {
	_, err := s.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.Table, Key: key, ConditionExpression: aws.String("seen <= :version"),
		ExpressionAttributeValues: attr.Item{":version": attr.String(string(version))},
	})
	var newer *types.ConditionalCheckFailedException
	if err != nil && !errors.As(err, &newer) {
		return fmt.Errorf("remove pull request: %w", err)
	}
	return nil
}
