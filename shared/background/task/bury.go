package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Bury ends a task of a queue that cannot be read as Failed, and forgets it, so that no
// worker meets it again. Of its item what has the right form is kept, for its
// owner to see; the problem says why, in words for the owner.
func (s Store) Bury(ctx context.Context, q Queue, id, problem string, now time.Time) error {
	found, err := s.read(ctx, id)
	if err != nil && !errors.Is(err, fault.ErrNotFound) {
		return err
	}
	if err == nil {
		if err := s.bury(ctx, id, found, problem, now); err != nil {
			return err
		}
	}
	return s.forgetAll(ctx, q, id, now)
}

func (s Store) bury(ctx context.Context, id string, found attr.Item, problem string, now time.Time) error {
	item := key(id)
	for _, name := range []string{"kind", "owner", "name", "vcs", "installation", "subject"} {
		if text, ok := found[name].(*types.AttributeValueMemberS); ok {
			item[name] = text
		}
	}
	item["state"], item["problem"] = attr.String(string(Failed)), attr.String(problem)
	item["updated_at"], item["ttl"] = attr.Time(now), attr.Time(now.Add(Keep))
	_, err := s.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table, Item: item, ConditionExpression: aws.String("attribute_exists(pk)"),
	})
	var gone *types.ConditionalCheckFailedException
	if err != nil && !errors.As(err, &gone) {
		return fmt.Errorf("bury task %s: %w", id, err)
	}
	return nil
}

// forgetAll removes the reminders of a task that are due: where the task cannot
// be read, nothing else says which there are.
func (s Store) forgetAll(ctx context.Context, q Queue, id string, now time.Time) error {
	in := s.due(q, now)
	in.FilterExpression = aws.String("id = :id")
	in.ExpressionAttributeValues[":id"] = attr.String(id)
	pages := dynamodb.NewQueryPaginator(s.DB, in)
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list reminders: %w", err)
		}
		for _, item := range out.Items {
			at := attr.Item{"pk": item["pk"], "sk": item["sk"]}
			if _, err := s.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.Table, Key: at}); err != nil {
				return fmt.Errorf("forget task %s: %w", id, err)
			}
		}
	}
	return nil
}
