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
	// the table had no throughput. The pauses between them take 1.1 s at most.
	batchTries = 10
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
	// Used, if not nil, is called for each response, with the read capacity units
	// that it cost.
	Used Used
}

// Used is called with the capacity units that a response of a batch cost. It may
// wait, so that the next request comes later. If it returns an error, the batch ends
// with this error.
type Used func(units float64) error

// add calls u with the sum of what a response cost. It does nothing if u is nil.
func (u Used) add(list []types.ConsumedCapacity) error {
	if u == nil {
		return nil
	}
	var units float64
	for _, c := range list {
		units += aws.ToFloat64(c.CapacityUnits)
	}
	return u(units)
}

// measured returns what a request says, so that its response has the units for u.
func (u Used) measured() types.ReturnConsumedCapacity {
	if u == nil {
		return ""
	}
	return types.ReturnConsumedCapacityTotal
}

// BatchGet reads those of the items that exist, in no particular order. It makes
// one request, unless the table is short of throughput. Then it requests the rest
// again after a pause. If the rest is not read after ten tries, it returns an
// error for which Throttled is true.
func (t Table) BatchGet(ctx context.Context, b Batch) ([]Item, error) {
	e := newExpression()
	asked := types.KeysAndAttributes{Keys: b.Keys, ConsistentRead: aws.Bool(!b.Eventual), ProjectionExpression: e.projection(b.Names)}
	asked.ExpressionAttributeNames = e.names
	var items []Item
	rest := map[string]types.KeysAndAttributes{t.Name: asked}
	for range Tries(ctx, batchTries) {
		out, err := t.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: rest, ReturnConsumedCapacity: b.Used.measured()})
		if err != nil {
			return nil, err
		}
		if err := b.Used.add(out.ConsumedCapacity); err != nil {
			return nil, err
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
// one, and repeats as BatchGet does. used, if not nil, is called for each response,
// with the write capacity units that it cost.
func (t Table) BatchDelete(ctx context.Context, keys []Item, used Used) error {
	deletes := make([]types.WriteRequest, len(keys))
	for i, key := range keys {
		deletes[i].DeleteRequest = &types.DeleteRequest{Key: key}
	}
	rest := map[string][]types.WriteRequest{t.Name: deletes}
	for range Tries(ctx, batchTries) {
		out, err := t.DB.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: rest, ReturnConsumedCapacity: used.measured()})
		if err != nil {
			return err
		}
		if err := used.add(out.ConsumedCapacity); err != nil {
			return err
		}
		if rest = out.UnprocessedItems; len(rest) == 0 {
			return nil
		}
	}
	return unprocessed(ctx)
}

// unprocessed returns the error of a batch of which a part was never handled.
func unprocessed(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return &types.ProvisionedThroughputExceededException{}
}
