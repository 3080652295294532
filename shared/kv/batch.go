package kv

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/vcs"
)

// batchSize is the maximum number of items in one BatchGetItem call.
const batchSize = 100

// batchRows calls do for each of the given rows that has an item. The order is not
// defined. The cells have no values. Each read is strongly consistent, but the
// reads together are not a snapshot.
func (s *Store) batchRows(ctx context.Context, ns vcs.Installation, generation string, idx []int, budget *Budget, do func(int, cell)) error {
	for chunk := range slices.Chunk(idx, batchSize) {
		keys := make([]attr.Item, len(chunk))
		for i, n := range chunk {
			keys[i] = rowKey(ns, generation, n)
		}
		for n := 0; len(keys) > 0; n++ {
			if n == tries {
				return errContended
			}
			if err := awsclient.Pause(ctx, n); err != nil {
				return err
			}
			out, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
				ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
				RequestItems: map[string]types.KeysAndAttributes{
					s.table: {Keys: keys, ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String(withoutValues)},
				},
			})
			if err != nil {
				return fmt.Errorf("batch get rows: %w", err)
			}
			var used *types.ConsumedCapacity
			if len(out.ConsumedCapacity) > 0 {
				used = &out.ConsumedCapacity[0]
			}
			budget.take(used, len(out.Responses[s.table]))
			for _, it := range out.Responses[s.table] {
				r, err := decodeRow(it)
				if err != nil {
					return err
				}
				do(r.idx, r.cell)
			}
			keys = out.UnprocessedKeys[s.table].Keys
		}
	}
	return nil
}
