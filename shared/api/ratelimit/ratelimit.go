// Package ratelimit bounds how often something may be done in a span of time.
// Its invariant: of calls that are made at once, no more are admitted than the
// limit has room for, whatever instances they run in: each is counted by one
// conditional write before it is admitted. What GiveBack takes back makes room
// again.
package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Limit is how often something may be done. Time is cut into fixed windows, so
// that a span as long as one may hold up to twice Max.
type Limit struct {
	// Name says what is counted. It is part of the counter's key.
	Name string
	// Max is how often it may be done in one window.
	Max int
	// Window is the length of a window, in whole seconds.
	Window time.Duration
}

// Store keeps counters in a table beside other items: pk that of whoever is
// counted, sk RATE#<name>#<end of the window, Unix seconds>. A counter is one
// item, and expires with its window.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is its physical name. It has the string keys pk and sk, and expires
	// items by the attribute ttl.
	Table string
}

// Take counts one more at author.At, and returns zero if it is admitted, else
// how long it is until the next window. A retry by the client, whose first
// answer was lost, may count twice: an error is on the safe side.
func (s *Store) Take(ctx context.Context, pk string, l Limit, author change.Author) (time.Duration, error) {
	end := l.end(author.At)
	values := attr.Item{":one": attr.Int(1), ":max": attr.Int(int64(l.Max)), ":ttl": attr.Time(end)}
	err := s.add(ctx, pk, l, values, "attribute_not_exists(n) OR n < :max", author)
	var full *types.ConditionalCheckFailedException
	if errors.As(err, &full) {
		return end.Sub(author.At), nil
	}
	return 0, err
}

// GiveBack takes back what Take has counted in the same window. It does nothing
// in a later one. A request whose answer is lost, and that the client sends again,
// may take back two: where that matters, Max must leave room for it.
func (s *Store) GiveBack(ctx context.Context, pk string, l Limit, author change.Author) error {
	values := attr.Item{":one": attr.Int(-1), ":none": attr.Int(0), ":ttl": attr.Time(l.end(author.At))}
	err := s.add(ctx, pk, l, values, "n > :none", author)
	var none *types.ConditionalCheckFailedException
	if errors.As(err, &none) {
		return nil
	}
	return err
}

func (s *Store) add(ctx context.Context, pk string, l Limit, values attr.Item, condition string, author change.Author) error {
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 aws.String(s.Table),
		Key:                       attr.Item{"pk": attr.String(pk), "sk": attr.String(fmt.Sprintf("RATE#%s#%d", l.Name, l.end(author.At).Unix()))},
		UpdateExpression:          aws.String("ADD n :one SET #ttl = :ttl, " + author.Set(values)),
		ConditionExpression:       aws.String(condition),
		ExpressionAttributeNames:  map[string]string{"#ttl": "ttl"},
		ExpressionAttributeValues: values,
	})
	if err != nil {
		return fmt.Errorf("count %s: %w", l.Name, err)
	}
	return nil
}

// end is when the window of a time ends.
func (l Limit) end(at time.Time) time.Time { return at.Truncate(l.Window).Add(l.Window) }
