package table

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// MaxBatch is the largest number of items that BatchGet reads at once
// ("BatchGetItem", AWS documentation).
const MaxBatch = 100

// batchTries is the largest number of tries to read items for which the table had
// no throughput.
const batchTries = 5

// Batch names items to read together.
type Batch struct {
	// Keys are the keys of the items: at least one, at most MaxBatch, all
	// different.
	Keys []Item
	// Names are the attributes to return. Empty means all.
	Names []string
	// Eventual reads at half the cost, and may miss what was written just before.
	Eventual bool
}

// BatchGet reads those of the items that exist, in no particular order. It makes
// one request, unless the table is short of throughput. Then it requests the rest
// again after a pause. If the rest is not read after a few tries, it returns an
// error for which Throttled is true.
func (t Table) BatchGet(ctx context.Context, b Batch) ([]Item, error) {
	e := newExpression()
	asked := types.KeysAndAttributes{Keys: b.Keys, ConsistentRead: aws.Bool(!b.Eventual), ProjectionExpression: e.projection(b.Names)}
	asked.ExpressionAttributeNames = e.names
	return t.BatchGetItems(ctx, asked)
}

// BatchGetItems is BatchGet for a request of the SDK. It is for stores that make
// their requests with the SDK.
func (t Table) BatchGetItems(ctx context.Context, asked types.KeysAndAttributes) ([]Item, error) {
	var items []Item
	rest := map[string]types.KeysAndAttributes{t.Name: asked}
	for n := range batchTries {
		if err := Pause(ctx, n); err != nil {
			return nil, err
		}
		out, err := t.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: rest})
		if err != nil {
			return nil, err
		}
		items = append(items, out.Responses[t.Name]...)
		if rest = out.UnprocessedKeys; len(rest) == 0 {
			return items, nil
		}
	}
	return nil, &types.ProvisionedThroughputExceededException{}
}
