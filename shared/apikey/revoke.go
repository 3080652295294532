package apikey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/signing"
)

// A revocation meets other writes to the key: another revocation, or the
// record of its use. Both are over in milliseconds.
const (
	revokeAttempts = 5
	revokePause    = 20 * time.Millisecond
)

// Revoke ends a key: at once for itself, and within signing.SnapshotAge for
// its access tokens. Revoking it again changes nothing. ErrNotFound if the
// user has no such key.
func (s *Store) Revoke(ctx context.Context, user, id string, author change.Author) error {
	for attempt := 1; ; attempt++ {
		err := s.revoke(ctx, user, id, author)
		if err == nil || errors.Is(err, ErrNotFound) {
			return err
		}
		if !contended(err) || attempt == revokeAttempts {
			return fmt.Errorf("revoke API key: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("revoke API key: %w", ctx.Err())
		case <-time.After(time.Duration(attempt) * revokePause):
		}
	}
}

// revoke tries once. Key and word to the verifiers change in one transaction:
// neither is of use without the other. The client gives it a token, so that a
// retry after a lost answer does nothing twice.
func (s *Store) revoke(ctx context.Context, user, id string, author change.Author) error {
	values := attr.Item{":at": attr.Time(author.At), ":ttl": attr.Time(author.At.Add(keep))}
	_, err := s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{
			{Update: &types.Update{
				TableName: aws.String(s.Table), Key: ItemKey(user, id),
				UpdateExpression:                    aws.String("SET revoked_at = :at, #ttl = :ttl, " + author.Set(values) + " REMOVE by_name"),
				ConditionExpression:                 aws.String("attribute_exists(pk) AND attribute_not_exists(revoked_at)"),
				ExpressionAttributeNames:            map[string]string{"#ttl": "ttl"},
				ExpressionAttributeValues:           values,
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
			}},
			{Put: &types.Put{TableName: aws.String(s.Table), Item: signing.Revocation(id, author)}},
		},
	})
	var canceled *types.TransactionCanceledException
	if errors.As(err, &canceled) && len(canceled.CancellationReasons) > 0 {
		first := canceled.CancellationReasons[0]
		switch {
		case aws.ToString(first.Code) != "ConditionalCheckFailed":
		case len(first.Item) == 0:
			return ErrNotFound
		default:
			return nil // revoked before
		}
	}
	return err
}

// contended reports whether a transaction failed only because another write
// was under way, so that trying again may help. The client does not retry
// these itself.
func contended(err error) bool {
	var canceled *types.TransactionCanceledException
	if !errors.As(err, &canceled) {
		return false
	}
	for _, reason := range canceled.CancellationReasons {
		switch aws.ToString(reason.Code) {
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			return true
		}
	}
	return false
}
