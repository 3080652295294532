package repository

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/erasure"
	"github.com/opsplane/opsplane/shared/vcs"
)

// erasers is the number of repositories that Erase removes at once.
const erasers = 10

// Erase removes repositories of an installation, in the name of its author, at most
// limit. It also removes those that are gone, because their items still hold data.
// It returns how many it removed, and whether there may be more. A later fact about
// a removed repository makes it known again.
func (s Store) Erase(ctx context.Context, author change.Author, in vcs.Installation, limit int) (erased int, more bool, err error) {
	out, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(limit)), ProjectionExpression: aws.String("pk, sk"),
		KeyConditionExpression: aws.String("pk = :pk"), ExpressionAttributeValues: attr.Item{":pk": partition(in)["pk"]},
	})
	if err != nil {
		return 0, false, fmt.Errorf("list repositories: %w", err)
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(erasers)
	for _, found := range out.Items {
		group.Go(func() error {
			if _, err := erasure.Item(gctx, s.DB, s.Table, attr.Item{"pk": found["pk"], "sk": found["sk"]}, author); err != nil {
				return fmt.Errorf("erase repository: %w", err)
			}
			return nil
		})
	}
	return len(out.Items), len(out.LastEvaluatedKey) > 0, group.Wait()
}
