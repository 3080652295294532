package apikey

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/erasure"
)

// Erase revokes keys of a user and removes them, revoked ones too: at most limit
// of them. It returns how many it removed, and whether there may be more.
func (s *Store) Erase(ctx context.Context, user string, author change.Author, limit int) (erased int, more bool, err error) {
	out, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(limit)), ProjectionExpression: aws.String("sk"),
		KeyConditionExpression:    aws.String("pk = :pk AND begins_with(sk, :key)"),
		ExpressionAttributeValues: attr.Item{":pk": ItemKey(user, "")["pk"], ":key": attr.String(prefixKey)},
	})
	if err != nil {
		return 0, false, fmt.Errorf("list API keys: %w", err)
	}
	for _, item := range out.Items {
		id := strings.TrimPrefix(attr.Read(item).String("sk"), prefixKey)
		if err := s.Revoke(ctx, user, id, author); err != nil && !errors.Is(err, ErrNotFound) {
			return erased, true, err
		}
		if _, err := erasure.Item(ctx, s.DB, s.Table, ItemKey(user, id), author); err != nil {
			return erased, true, fmt.Errorf("erase API key: %w", err)
		}
		erased++
	}
	return erased, len(out.LastEvaluatedKey) > 0, nil
}
