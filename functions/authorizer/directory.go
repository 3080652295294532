package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// A batch may return only a part if the tables are short of throughput.
const (
	batchAttempts = 4
	batchPause    = 25 * time.Millisecond
)

// directory looks up API keys and users.
type directory struct {
	db                 *dynamodb.Client
	tokens, operations string
}

// find returns the stored key of the secret and its owner, with one call. It
// returns a refusal if there is no such key, the secret is wrong, or the key has no
// owner. The comparison takes the same time in each case.
func (d directory) find(ctx context.Context, secret apikey.Secret) (apikey.Key, user.User, error) {
	items, err := d.read(ctx, map[string]types.KeysAndAttributes{
		d.tokens:     {Keys: []attr.Item{apikey.ItemKey(secret.User, secret.ID)}, ConsistentRead: aws.Bool(true)},
		d.operations: {Keys: []attr.Item{user.ItemKey(secret.User)}, ConsistentRead: aws.Bool(true)},
	})
	if err != nil {
		return apikey.Key{}, user.User{}, err
	}
	key, err := apikey.Decode(items[d.tokens])
	if err != nil && !errors.Is(err, apikey.ErrNotFound) {
		return apikey.Key{}, user.User{}, err
	}
	owner, err := user.Decode(items[d.operations])
	if err != nil && !errors.Is(err, user.ErrNotFound) {
		return apikey.Key{}, user.User{}, err
	}
	if !secret.Matches(key) || owner.ID != secret.User {
		return apikey.Key{}, user.User{}, refusal("unknown API key")
	}
	return key, owner, nil
}

// user returns a user, with one call. It returns a refusal if there is none.
func (d directory) user(ctx context.Context, id string) (user.User, error) {
	u, err := (&user.Store{DB: d.db, Table: d.operations}).Get(ctx, id)
	if errors.Is(err, user.ErrNotFound) {
		return user.User{}, refusal("the credential's user does not exist")
	}
	return u, err
}

// read returns at most one item per table.
func (d directory) read(ctx context.Context, keys map[string]types.KeysAndAttributes) (map[string]attr.Item, error) {
	items := map[string]attr.Item{}
	for attempt := range batchAttempts {
		if attempt > 0 {
			select {
			case <-ctx.Done():
				return nil, fmt.Errorf("look up API key: %w", ctx.Err())
			case <-time.After(time.Duration(attempt) * batchPause):
			}
		}
		out, err := d.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: keys})
		if err != nil {
			return nil, fmt.Errorf("look up API key: %w", err)
		}
		for table, found := range out.Responses {
			for _, item := range found {
				items[table] = item
			}
		}
		if keys = out.UnprocessedKeys; len(keys) == 0 {
			return items, nil
		}
	}
	return nil, errors.New("look up API key: the tables are short of throughput")
}
