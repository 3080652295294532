package apikey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
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
//
// Verifiers are told of keys alone that may have a token: not of one that was
// never exchanged, nor of one that has ended by itself. MarkUsed records the
// first exchange on the key's own item, before the token is made, and only if
// the key is not revoked. So of a revocation and a first exchange at once one
// meets the other: either the exchange comes first, and the revocation sees the
// record and tells; or the revocation does, and the exchange is refused.
func (s *Store) Revoke(ctx context.Context, user, id string, author change.Author) error {
	for attempt := 1; ; attempt++ {
		err := s.revoke(ctx, user, id, author)
		if err == nil || errors.Is(err, ErrNotFound) {
			return err
		}
		if !passing(err) || attempt == revokeAttempts {
			return fmt.Errorf("revoke API key: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("revoke API key: %w", ctx.Err())
		case <-time.After(time.Duration(attempt) * revokePause):
		}
	}
}

// The conditions of a revocation. The second, for keys that have no token that
// lives, allows a minute for clocks that differ.
const (
	revocable = "attribute_exists(pk) AND attribute_not_exists(revoked_at)"
	tokenless = " AND (attribute_not_exists(last_used_at) OR expires_at <= :ended)"
	slack     = time.Minute
)

// revoke tries once.
func (s *Store) revoke(ctx context.Context, user, id string, author change.Author) error {
	err := s.revokeTokenless(ctx, user, id, author)
	var unmet *types.ConditionalCheckFailedException
	switch {
	case !errors.As(err, &unmet):
		return err
	case len(unmet.Item) == 0:
		return ErrNotFound
	case unmet.Item["revoked_at"] != nil:
		return nil // revoked before
	}
	return s.revokeAndTell(ctx, user, id, author)
}

// revokeTokenless revokes a key of which no verifier need know.
func (s *Store) revokeTokenless(ctx context.Context, user, id string, author change.Author) error {
	u := s.revocation(user, id, author)
	u.ExpressionAttributeValues[":ended"] = attr.Time(author.At.Add(-slack))
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: u.TableName, Key: u.Key, UpdateExpression: u.UpdateExpression, ConditionExpression: aws.String(revocable + tokenless),
		ExpressionAttributeNames: u.ExpressionAttributeNames, ExpressionAttributeValues: u.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: u.ReturnValuesOnConditionCheckFailure,
	})
	return err
}

// revokeAndTell revokes any key. Key and word to the verifiers change in one
// transaction: neither is of use without the other. The client gives it a token,
// so that a retry after a lost answer does nothing twice.
func (s *Store) revokeAndTell(ctx context.Context, user, id string, author change.Author) error {
	_, err := s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{
			{Update: s.revocation(user, id, author)},
			{Put: &types.Put{TableName: aws.String(s.Table), Item: signing.Revocation(user, id, author)}},
		},
	})
	var canceled *types.TransactionCanceledException
	if errors.As(err, &canceled) && awsclient.ConditionFailed(err, 0) {
		if len(canceled.CancellationReasons[0].Item) == 0 {
			return ErrNotFound
		}
		return nil // revoked before
	}
	return err
}

// revocation is the write that revokes a key.
func (s *Store) revocation(user, id string, author change.Author) *types.Update {
	values := attr.Item{":at": attr.Time(author.At), ":ttl": attr.Time(author.At.Add(keep))}
	return &types.Update{
		TableName: aws.String(s.Table), Key: ItemKey(user, id),
		UpdateExpression:                    aws.String("SET revoked_at = :at, #ttl = :ttl, " + author.Set(values) + " REMOVE by_name"),
		ConditionExpression:                 aws.String(revocable),
		ExpressionAttributeNames:            map[string]string{"#ttl": "ttl"},
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}

// passing reports whether a revocation failed only for load or because another
// write was under way, so that trying again may help.
func passing(err error) bool { return awsclient.Contended(err) || awsclient.Throttled(err) }
