package pullrequest

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Erase removes pull requests of an installation, of any version: at most limit. It
// returns how many it removed, and whether there may be more.
func (s Store) Erase(ctx context.Context, in vcs.Installation, limit int) (erased int, more bool, err error) {
	out, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(limit)), ProjectionExpression: aws.String("pk, sk"),
		KeyConditionExpression: aws.String("pk = :pk"), ExpressionAttributeValues: attr.Item{":pk": partition(in)["pk"]},
	})
	if err != nil {
		return 0, false, fmt.Errorf("list pull requests: %w", err)
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(side)
	for _, key := range out.Items {
		group.Go(func() error {
			_, err := s.DB.DeleteItem(gctx, &dynamodb.DeleteItemInput{TableName: &s.Table, Key: attr.Item{"pk": key["pk"], "sk": key["sk"]}})
			if err != nil {
				return fmt.Errorf("erase pull request: %w", err)
			}
			return nil
		})
	}
	return len(out.Items), len(out.LastEvaluatedKey) > 0, group.Wait()
}
