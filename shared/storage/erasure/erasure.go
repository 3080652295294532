// Package erasure removes items of which the audit trail is to tell who removed
// them. A table's stream shows no author of a removal: so an item is marked first,
// by its author, and goes behind that. Its invariant: no item goes that was not
// marked.
package erasure

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Attr is the attribute of an item that is about to go: when that was decided,
// Unix seconds.
const Attr = "erased_at"

// Item removes an item by its key, and reports whether there was one. To do it
// again is safe: a removal that was cut short is made good. An item that another
// request writes anew between mark and removal stays; one that it changes goes.
func Item(ctx context.Context, db *dynamodb.Client, table string, key attr.Item, author change.Author) (bool, error) {
	marked, err := Mark(ctx, db, table, key, author)
	if err != nil || marked == nil {
		return false, err
	}
	_, err = db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &table, Key: key, ConditionExpression: aws.String("attribute_exists(" + Attr + ")"),
	})
	var anew *types.ConditionalCheckFailedException
	if err != nil && !errors.As(err, &anew) {
		return false, fmt.Errorf("remove item: %w", err)
	}
	return true, nil
}

// Mark marks an item as about to go, by its author, and returns it as it is then;
// nil if there is none. One that is marked already stays as it was.
func Mark(ctx context.Context, db *dynamodb.Client, table string, key attr.Item, author change.Author) (attr.Item, error) {
	values := attr.Item{":at": attr.Time(author.At)}
	out, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &table, Key: key, ReturnValues: types.ReturnValueAllNew,
		UpdateExpression:                    aws.String("SET " + Attr + " = :at, " + author.Set(values)),
		ConditionExpression:                 aws.String("attribute_exists(pk) AND attribute_not_exists(" + Attr + ")"),
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var unmet *types.ConditionalCheckFailedException
	if errors.As(err, &unmet) {
		return unmet.Item, nil
	}
	if err != nil {
		return nil, fmt.Errorf("mark item: %w", err)
	}
	return out.Attributes, nil
}
