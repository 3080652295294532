package apikey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/ratelimit"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
)

// Store keeps API keys in TokensTable: pk USER#<user id>, sk KEY#<key id>.
// The index by_name has the keys that are not revoked. Beside them lie the
// counters of creations.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of TokensTable.
	Table string
}

// Create makes a key and answers its text, which cannot be had again. A limit
// that is exceeded, or an end that is not in the future, is an Invalid fault; too
// many keys in a short time are a TooMany fault. ErrRevoked if the parent is not
// live: of the parent's revocation and a creation at once, the creation comes
// first and its key can be listed behind the revocation, or it fails.
func (s *Store) Create(ctx context.Context, n New, author change.Author) (string, Key, error) {
	if n.Capabilities = access.Normalize(n.Capabilities); n.Capabilities == nil {
		n.Capabilities = access.Set{}
	}
	if err := n.valid(author.At); err != nil {
		return "", Key{}, err
	}
	// Counted first: of a user with many keys, to look for room is what costs.
	if err := s.count(ctx, n.User, author); err != nil {
		return "", Key{}, err
	}
	if err := s.room(ctx, n.User, author.At); err != nil {
		return "", Key{}, err
	}
	secret, err := newSecret(n.User)
	if err != nil {
		return "", Key{}, fmt.Errorf("make API key: %w", err)
	}
	k := Key{
		ID: secret.ID, User: secret.User, Name: n.Name, Description: n.Description, Capabilities: n.Capabilities,
		CreatedAt: seconds(author.At), ExpiresAt: seconds(n.ExpiresAt), hash: secret.hash(),
	}
	item, err := k.item()
	if err != nil {
		return "", Key{}, err
	}
	author.AddTo(item)
	if err := s.put(ctx, item, n, author.At); err != nil {
		return "", Key{}, err
	}
	return secret.text(), k, nil
}

// put stores a new key, together with a look at its parent if it has one. The
// id is random: if it exists, then by an earlier attempt of this call whose answer
// was lost.
func (s *Store) put(ctx context.Context, item attr.Item, n New, now time.Time) error {
	const isNew = "attribute_not_exists(pk)"
	if n.Parent == "" {
		_, err := s.DB.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(s.Table), Item: item, ConditionExpression: aws.String(isNew)})
		var exists *types.ConditionalCheckFailedException
		if err != nil && !errors.As(err, &exists) {
			return fmt.Errorf("create API key: %w", err)
		}
		return nil
	}
	err := awsclient.Transact(ctx, s.DB, []types.TransactWriteItem{
		{Put: &types.Put{TableName: aws.String(s.Table), Item: item, ConditionExpression: aws.String(isNew)}},
		{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(s.Table), Key: ItemKey(n.User, n.Parent),
			ConditionExpression:       aws.String(revocable + " AND (attribute_not_exists(expires_at) OR expires_at > :now)"),
			ExpressionAttributeValues: attr.Item{":now": attr.Time(now)},
		}},
	})
	switch {
	case err == nil, awsclient.ConditionFailed(err, 0):
		return nil
	case awsclient.ConditionFailed(err, 1):
		return ErrRevoked
	}
	return fmt.Errorf("create API key: %w", err)
}

// seconds cuts t to whole seconds, in UTC. The zero time stays zero.
func seconds(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.Unix(t.Unix(), 0).UTC()
}

// room answers an Invalid fault if the user can have no further key. Keys that
// have expired do not count, though they are listed until they are removed.
func (s *Store) room(ctx context.Context, user string, now time.Time) error {
	pages := dynamodb.NewQueryPaginator(s.DB, &dynamodb.QueryInput{
		TableName: aws.String(s.Table), IndexName: aws.String("by_name"),
		ConsistentRead: aws.Bool(true), Select: types.SelectCount,
		KeyConditionExpression:    aws.String("pk = :pk"),
		FilterExpression:          aws.String("attribute_not_exists(expires_at) OR expires_at > :now"),
		ExpressionAttributeValues: attr.Item{":pk": ItemKey(user, "")["pk"], ":now": attr.Time(now)},
	})
	for live, listed := 0, 0; pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("count API keys: %w", err)
		}
		if listed += int(page.ScannedCount); listed >= maxListed {
			return fault.Invalidf("TOO_MANY_KEYS", "this user has %d API keys; most of them have expired and are still listed: "+
				"revoke them, or wait until they go, 30 days after their end", listed)
		}
		if live += int(page.Count); live >= MaxPerUser {
			return fault.Invalidf("TOO_MANY_KEYS", "a user can have %d API keys: revoke one that is no longer used", MaxPerUser)
		}
	}
	return nil
}

// count counts a creation; a TooMany fault if there were too many.
func (s *Store) count(ctx context.Context, user string, author change.Author) error {
	counters := ratelimit.Store{DB: s.DB, Table: s.Table}
	wait, err := counters.Take(ctx, "USER#"+user, creations, author)
	if err != nil || wait == 0 {
		return err
	}
	return fault.TooManyf("TOO_MANY_NEW_KEYS", "a user can make %d API keys in %d minutes: use the ones that you have, or try again in %d seconds",
		creations.Max, int(creations.Window.Minutes()), int((wait+time.Second-1)/time.Second)).After(wait)
}

// Get reads a key, revoked ones too, with everything that was answered before;
// ErrNotFound if the user has no such key.
func (s *Store) Get(ctx context.Context, user, id string) (Key, error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(s.Table), Key: ItemKey(user, id), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return Key{}, fmt.Errorf("read API key: %w", err)
	}
	return Decode(out.Item)
}

// MarkUsed records that the key was used at author.At, unless one of the
// last UseInterval is recorded. A key that is revoked or gone is ErrRevoked. It is
// safe to repeat. A token may be made for a key only if a use of it was recorded
// before (see Revoke).
func (s *Store) MarkUsed(ctx context.Context, user, id string, author change.Author) error {
	values := attr.Item{
		":at": attr.Time(author.At), ":before": attr.Time(author.At.Add(-UseInterval)),
	}
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(s.Table), Key: ItemKey(user, id),
		UpdateExpression: aws.String("SET last_used_at = :at, " + author.Set(values)),
		ConditionExpression: aws.String("attribute_exists(pk) AND attribute_not_exists(revoked_at) AND " +
			"(attribute_not_exists(last_used_at) OR last_used_at <= :before)"),
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var unmet *types.ConditionalCheckFailedException
	if !errors.As(err, &unmet) {
		if err != nil {
			return fmt.Errorf("record the use of an API key: %w", err)
		}
		return nil
	}
	if k, err := Decode(unmet.Item); err != nil || !k.RevokedAt.IsZero() {
		return ErrRevoked
	}
	return nil
}
