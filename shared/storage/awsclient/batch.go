package awsclient

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// MaxBatch is how many items BatchGetItem reads at once ("BatchGetItem", AWS
// documentation).
const MaxBatch = 100

// batchTries bounds how often what the table had no throughput for is asked for.
const batchTries = 5

// BatchGet reads those items of a table that are there, at most MaxBatch of
// them, in no particular order: one call, unless the table is short of
// throughput. What it leaves out is asked for again after a pause.
func BatchGet(ctx context.Context, db *dynamodb.Client, table string, asked types.KeysAndAttributes) ([]map[string]types.AttributeValue, error) {
	var items []map[string]types.AttributeValue
	rest := map[string]types.KeysAndAttributes{table: asked}
	for n := range batchTries {
		if err := Pause(ctx, n); err != nil {
			return nil, err
		}
		out, err := db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: rest})
		if err != nil {
			return nil, err
		}
		items = append(items, out.Responses[table]...)
		if rest = out.UnprocessedKeys; len(rest) == 0 {
			return items, nil
		}
	}
	return nil, &types.ProvisionedThroughputExceededException{}
}
