// Package table is the layer between the stores and DynamoDB. A store keeps the
// keys and the attributes of its items, and this package makes the requests.
// Types of the SDK stay inside it, except for the values that package attr makes.
//
// # Requests
//
// A Table reads an item (Get, BatchGet), lists items (Query, All, Pages), and
// writes one item (Put, Update, Delete). Reads are strongly consistent unless the
// request says Eventual. A write takes conditions, which must all hold:
//
//	err := t.Update(ctx, table.Change(key).Set("state", attr.String("done")).
//		If(table.Exists("pk"), table.Absent("done_at")).KeepOld())
//	if old, failed := table.ConditionFailed(err); failed { … } // old is the item as it is
//
// Several writes take effect together with Transact. A Write is opaque, so that a
// package can return one, and its caller can put it in a transaction with its own
// writes:
//
//	err := t.Transact(ctx, t.WritePut(item, table.Absent("pk")), other.Write())
//	if old, failed := table.ConditionFailedAt(err, 0); failed { … }
//
// Every attribute name is sent as a placeholder, so that a reserved word of
// DynamoDB can be a name. A dot in a name leads into a map.
//
// # Lost responses
//
// The response to a write can be lost: the connection ends, or the server fails
// while it works. The write may have taken effect. The SDK's client then sends the
// request again. So each write must be one of these:
//
//  1. It has the same effect when it is made twice: Put of the same item, Delete,
//     Update that sets values without counting.
//  2. It has a condition that fails the second time, and the caller recognises its
//     own write in the old item, by its request id (package change) or another
//     value that is unique.
//  3. It is made with t.SentOnce(), which repeats a request only when it certainly
//     had no effect. The caller looks at Ambiguous(err), and reads the item to find
//     out what happened.
//  4. It counts, and to count twice does no harm: a limit is reached earlier, or the
//     number must only differ from earlier ones. The comment of such a write says
//     which.
//
// Transact repeats a transaction that was cancelled without effect. The SDK gives
// each of these a token, by which DynamoDB recognises a request that is sent again
// within ten minutes ("TransactWriteItems", AWS documentation).
package table

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Item is an item, or the key of one. Package attr makes and reads the values.
type Item = attr.Item

// Value is the value of one attribute. Package attr makes values.
type Value = types.AttributeValue

// Table is one DynamoDB table.
type Table struct {
	// DB is the client.
	DB *dynamodb.Client
	// Name is the physical name of the table.
	Name string

	options []func(*dynamodb.Options) // of writes
}

// SentOnce returns the same table, whose writes are sent again only if they
// certainly had no effect: the server refused for load or because of a transaction
// under way, or no connection was made (rule 3 in the package comment).
func (t Table) SentOnce() Table {
	t.options = []func(*dynamodb.Options){RetryDefinite}
	return t
}

// Get reads the item with a key, strongly consistent: every write that was
// answered before is seen. It returns nil if there is no such item. With names, only
// those attributes are returned; the cost is that of the whole item.
func (t Table) Get(ctx context.Context, key Item, names ...string) (Item, error) {
	e := newExpression()
	out, err := t.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.Name, Key: key, ConsistentRead: aws.Bool(true),
		ProjectionExpression: e.projection(names), ExpressionAttributeNames: e.names,
	})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// Put writes an item in place of the one with the same key, if all conditions hold
// for that one. ConditionFailed recognises the error of a condition that does not.
func (t Table) Put(ctx context.Context, item Item, conditions ...Condition) error {
	e := newExpression()
	in := &dynamodb.PutItemInput{TableName: &t.Name, Item: item, ConditionExpression: e.all(conditions)}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.names, e.values
	_, err := t.DB.PutItem(ctx, in, t.options...)
	return failure(err)
}

// Update makes a change of one item. Where there is no item with the key, the
// change makes one: add the condition Exists of a key attribute to prevent this.
// ConditionFailed recognises the error of a condition that does not hold. No item
// is returned: a function may change items that it must not read, and its role can
// then demand so ("dynamodb:ReturnValues", AWS documentation).
func (t Table) Update(ctx context.Context, u *Edit) error {
	_, err := t.update(ctx, u, "")
	return err
}

// UpdateReturning is Update, and returns the item after the change.
func (t Table) UpdateReturning(ctx context.Context, u *Edit) (Item, error) {
	return t.update(ctx, u, types.ReturnValueAllNew)
}

// UpdateReturningOld is Update, and returns the item before the change. It returns
// an empty item if there was none.
func (t Table) UpdateReturningOld(ctx context.Context, u *Edit) (Item, error) {
	return t.update(ctx, u, types.ReturnValueAllOld)
}

func (t Table) update(ctx context.Context, u *Edit, returned types.ReturnValue) (Item, error) {
	e := newExpression()
	in := &dynamodb.UpdateItemInput{TableName: &t.Name, Key: u.key, UpdateExpression: e.update(u), ConditionExpression: e.all(u.conditions)}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.names, e.values
	in.ReturnValues, in.ReturnValuesOnConditionCheckFailure = returned, u.onFailure()
	out, err := t.DB.UpdateItem(ctx, in, t.options...)
	if err != nil {
		return nil, failure(err)
	}
	return out.Attributes, nil
}

// Delete removes the item with a key, if all conditions hold for it. Without
// conditions, it is no error if there is none. ConditionFailed recognises the error
// of a condition that does not hold.
func (t Table) Delete(ctx context.Context, key Item, conditions ...Condition) error {
	e := newExpression()
	in := &dynamodb.DeleteItemInput{TableName: &t.Name, Key: key, ConditionExpression: e.all(conditions)}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.names, e.values
	_, err := t.DB.DeleteItem(ctx, in, t.options...)
	return failure(err)
}
