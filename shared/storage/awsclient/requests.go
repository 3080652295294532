package awsclient

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/storage/table"
)

// The following is for stores that make their requests with the SDK. New code uses
// only package table.

// MaxBatch is table.MaxBatch.
const MaxBatch = table.MaxBatch

// Throttled is table.Throttled.
func Throttled(err error) bool { return table.Throttled(err) }

// Contended is table.Contended.
func Contended(err error) bool { return table.Contended(err) }

// Ambiguous is table.Ambiguous.
func Ambiguous(err error) bool { return table.Ambiguous(err) }

// Answered is table.Answered.
func Answered(err error) bool { return table.Answered(err) }

// Overtaken is table.Overtaken.
func Overtaken(err error) bool { return table.Overtaken(err) }

// RetryDefinite is table.RetryDefinite.
func RetryDefinite(o *dynamodb.Options) { table.RetryDefinite(o) }

// Pause is table.Pause.
func Pause(ctx context.Context, n int) error { return table.Pause(ctx, n) }

// ConditionFailed is table.ConditionFailedAt without the item.
func ConditionFailed(err error, n int) bool {
	_, failed := table.ConditionFailedAt(err, n)
	return failed
}

// Transact is table.Transact for writes of the SDK.
func Transact(ctx context.Context, db *dynamodb.Client, writes []types.TransactWriteItem) error {
	return table.Table{DB: db}.Transact(ctx, table.Writes(writes)...)
}

// BatchGet is table.BatchGet for a request of the SDK.
func BatchGet(ctx context.Context, db *dynamodb.Client, name string, asked types.KeysAndAttributes) ([]map[string]types.AttributeValue, error) {
	return table.Table{DB: db, Name: name}.BatchGetItems(ctx, asked)
}
