package kv

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// keyErasers is how many keys Erase handles at the same time.
const keyErasers = 8

// Erase deletes keys of a namespace with all their rows, including drafts and rows
// with write capabilities that the caller does not have. It handles at most limit
// keys, in the order of their bytes. It begins after the cursor; an empty cursor
// means the first key. It returns how many keys had rows, and the cursor for the
// next call. The cursor is empty when Erase has seen all keys. The collector
// removes the rows and bodies later. Another call deletes what was written since.
//
// With clean, Erase also removes the heads of keys without rows, which hold the
// keys' names. The caller must not do that while a request that has read a head may
// still run: it must wait longer than garbage.WriteRest after the last moment at
// which anybody could write.
func (s *Store) Erase(ctx context.Context, by Caller, after []byte, limit int, clean bool) (erased int, next []byte, err error) {
	in := &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(limit)), ProjectionExpression: aws.String("sk, vr, mr"),
		KeyConditionExpression: aws.String("pk = :pk"), ExpressionAttributeValues: attr.Item{":pk": attr.String(Stored(by.Installation))},
	}
	if len(after) > 0 {
		in.KeyConditionExpression = aws.String("pk = :pk AND sk > :after")
		in.ExpressionAttributeValues[":after"] = attr.Bytes(after)
	}
	out, err := s.db.Query(ctx, in)
	if err != nil {
		return 0, nil, fmt.Errorf("query heads: %w", err)
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(keyErasers)
	for _, it := range out.Items {
		h, err := decodeHead(it)
		if err != nil {
			return 0, nil, errors.Join(err, group.Wait())
		}
		if h.exists() || h.more {
			erased++
		}
		group.Go(func() error { return s.eraseKey(gctx, by, h, clean) })
		next = headSort(h.key)
	}
	if len(out.LastEvaluatedKey) == 0 {
		next = nil
	}
	return erased, next, group.Wait()
}

// eraseKey deletes one key and, with clean, also its head.
func (s *Store) eraseKey(ctx context.Context, by Caller, h head, clean bool) error {
	if h.exists() || h.more {
		d := removal{Store: s, Caller: by, key: h.key, force: true}
		if _, err := d.all(ctx); err != nil {
			return err
		}
	}
	if !clean {
		return nil
	}
	_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.table, Key: headKey(by.Installation, h.key), ConditionExpression: aws.String("attribute_not_exists(vr) AND attribute_not_exists(mr)"),
	})
	var written *types.ConditionalCheckFailedException
	if err != nil && !errors.As(err, &written) {
		return fmt.Errorf("remove head: %w", err)
	}
	return nil
}
