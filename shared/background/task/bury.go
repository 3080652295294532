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
	// The task cannot say when it is due.
	return s.reminders().DropAll(ctx, string(q), id, now)
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
