package installation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/attr"
)

// A batch holds at most 100 keys, and may come back in part if the table is
// short of throughput.
const (
	batchSize     = 100
	batchAttempts = 5
	batchPause    = 25 * time.Millisecond
)

// Known answers those of the ids that are installations which the server knows,
// sorted and without duplicates, strongly consistent. It makes a call for every
// hundred ids.
func (s Store) Known(ctx context.Context, vcs string, ids []string) ([]string, error) {
	var known []string
	for batch := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(ids))), batchSize) {
		keys := types.KeysAndAttributes{ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("pk")}
		owners := map[string]string{}
		for _, id := range batch {
			if ValidID(vcs, id) == nil {
				k := key(vcs, id)
				owners[attr.Read(k).String("pk")] = id
				keys.Keys = append(keys.Keys, k)
			}
		}
		found, err := s.batch(ctx, keys)
		if err != nil {
			return nil, fmt.Errorf("look up installations: %w", err)
		}
		for _, item := range found {
			known = append(known, owners[attr.Read(item).String("pk")])
		}
	}
	slices.Sort(known)
	return known, nil
}

// batch reads the items of keys until none is left.
func (s Store) batch(ctx context.Context, keys types.KeysAndAttributes) ([]attr.Item, error) {
	var found []attr.Item
	for attempt := range batchAttempts {
		if len(keys.Keys) == 0 {
			return found, nil
		}
		if attempt > 0 {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(time.Duration(attempt) * batchPause):
			}
		}
		out, err := s.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{s.Table: keys}})
		if err != nil {
			return nil, err
		}
		found = append(found, out.Responses[s.Table]...)
		keys = out.UnprocessedKeys[s.Table]
	}
	if len(keys.Keys) > 0 {
		return nil, errors.New("the table is short of throughput")
	}
	return found, nil
}
