package table

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	// MaxBatch is the largest number of items that BatchGet reads at once
	// ("BatchGetItem", AWS documentation).
	MaxBatch = 100
	// MaxDeletes is the largest number of items that BatchDelete removes at once
	// ("BatchWriteItem", AWS documentation).
	MaxDeletes = 25
	// batchTries is the largest number of tries to read or remove items for which
	// the table had no throughput.
	batchTries = 5
)

// Batch names items to read together.
type Batch struct {
	// Keys are the keys of the items: at least one, at most MaxBatch, all
	// different.
	Keys []Item
	// Names are the attributes to return. Empty means all.
	Names []string
	// Eventual reads at half the cost, and may miss what was written just before.
	Eventual bool
	// Used, if not nil, is increased by the read capacity units of the requests.
	Used *float64
}

// BatchGet reads those of the items that exist, in no particular order. It makes
// one request, unless the table is short of throughput. Then it requests the rest
// again after a pause. If the rest is not read after a few tries, it returns an
// error for which Throttled is true.
func (t Table) BatchGet(ctx context.Context, b Batch) ([]Item, error) {
	e := newExpression()
	asked := types.KeysAndAttributes{Keys: b.Keys, ConsistentRead: aws.Bool(!b.Eventual), ProjectionExpression: e.projection(b.Names)}
	asked.ExpressionAttributeNames = e.names
	var items []Item
	rest := map[string]types.KeysAndAttributes{t.Name: asked}
	for range Tries(ctx, batchTries) {
		in := &dynamodb.BatchGetItemInput{RequestItems: rest}
		if b.Used != nil {
			in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
		}
		out, err := t.DB.BatchGetItem(ctx, in)
		if err != nil {
			return nil, err
		}
		if b.Used != nil {
			*b.Used += units(out.ConsumedCapacity)
		}
		items = append(items, out.Responses[t.Name]...)
		if rest = out.UnprocessedKeys; len(rest) == 0 {
			return items, nil
		}
	}
	return nil, unprocessed(ctx)
}

// BatchDelete removes items by their keys: at least one, at most MaxDeletes, all
// different. It is no error if an item does not exist. It removes the items one by
// one, and repeats as BatchGet does. It returns the write capacity units that it
// used, also if it fails.
func (t Table) BatchDelete(ctx context.Context, keys []Item) (used float64, err error) {
	deletes := make([]types.WriteRequest, len(keys))
	for i, key := range keys {
		deletes[i].DeleteRequest = &types.DeleteRequest{Key: key}
	}
	rest := map[string][]types.WriteRequest{t.Name: deletes}
	for range Tries(ctx, batchTries) {
		out, err := t.DB.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: rest, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			return used, err
		}
		used += units(out.ConsumedCapacity)
		if rest = out.UnprocessedItems; len(rest) == 0 {
			return used, nil
		}
	}
	return used, unprocessed(ctx)
}

func units(list []types.ConsumedCapacity) (sum float64) {
	for _, c := range list {
		sum += aws.ToFloat64(c.CapacityUnits)
	}
	return sum
}

// unprocessed returns the error of a batch of which a part was never handled.
func unprocessed(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return &types.ProvisionedThroughputExceededException{}
}
