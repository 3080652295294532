package apikey

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Query chooses among a user's keys. The zero Query takes all.
type Query struct {
	// After and Before are cursors: only keys strictly behind or before them
	// are listed. At most one is set.
	After, Before string
	// Limit is how many keys are wanted; 0 means all.
	Limit int
	// Within, if it restricts, leaves out the keys that reach further.
	Within access.Set
}

// List answers the user's keys that are not revoked, in the order of their
// names and then ids, or backwards from Before.
func (s *Store) List(ctx context.Context, user string, q Query) ([]Key, error) {
	condition := "pk = :pk"
	values := attr.Item{":pk": ItemKey(user, "")["pk"]}
	switch {
	case q.After != "":
		condition += " AND by_name > :cursor"
		values[":cursor"] = attr.String(q.After)
	case q.Before != "":
		condition += " AND by_name < :cursor"
		values[":cursor"] = attr.String(q.Before)
	}
	input := &dynamodb.QueryInput{
		TableName: aws.String(s.Table), IndexName: aws.String("by_name"), ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String(condition), ExpressionAttributeValues: values,
		ScanIndexForward: aws.Bool(q.Before == ""),
	}
	if q.Limit > 0 {
		input.Limit = aws.Int32(int32(q.Limit))
	}
	pages := dynamodb.NewQueryPaginator(s.DB, input)
	var keys []Key
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list API keys: %w", err)
		}
		for _, item := range page.Items {
			k, err := Decode(item)
			if err != nil {
				return nil, err
			}
			if !k.Capabilities.Within(q.Within) {
				continue
			}
			if keys = append(keys, k); len(keys) == q.Limit {
				return keys, nil
			}
		}
	}
	return keys, nil
}
