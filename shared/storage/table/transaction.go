package table

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// MaxWrites is the largest number of writes in one transaction, each of another
// item ("TransactWriteItems", AWS documentation).
const MaxWrites = 100

// Write is one write of a transaction. Package table makes writes.
type Write struct{ item types.TransactWriteItem }

// WritePut is Put as a part of a transaction.
func (t Table) WritePut(item Item, conditions ...Condition) Write {
	e := newExpression()
	w := &types.Put{TableName: &t.Name, Item: item, ConditionExpression: e.all(conditions)}
	w.ExpressionAttributeNames, w.ExpressionAttributeValues = e.names, e.values
	return Write{types.TransactWriteItem{Put: w}}
}

// WriteNew puts an item if there is none with the key. If there is one, then
// ConditionFailedAt returns it.
func (t Table) WriteNew(item Item) Write {
	w := t.WritePut(item, Absent("pk"))
	w.item.Put.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	return w
}

// WriteUpdate is Update as a part of a transaction. It returns no item.
func (t Table) WriteUpdate(u *Edit) Write {
	e := newExpression()
	w := &types.Update{TableName: &t.Name, Key: u.key, UpdateExpression: e.update(u), ConditionExpression: e.all(u.conditions)}
	w.ExpressionAttributeNames, w.ExpressionAttributeValues = e.names, e.values
	w.ReturnValuesOnConditionCheckFailure = u.onFailure()
	return Write{types.TransactWriteItem{Update: w}}
}

// WriteDelete is Delete as a part of a transaction.
func (t Table) WriteDelete(key Item, conditions ...Condition) Write {
	e := newExpression()
	w := &types.Delete{TableName: &t.Name, Key: key, ConditionExpression: e.all(conditions)}
	w.ExpressionAttributeNames, w.ExpressionAttributeValues = e.names, e.values
	return Write{types.TransactWriteItem{Delete: w}}
}

// WriteCheck changes nothing. It cancels the transaction unless all conditions hold
// for the item with a key. There must be at least one condition.
func (t Table) WriteCheck(key Item, conditions ...Condition) Write {
	e := newExpression()
	w := &types.ConditionCheck{TableName: &t.Name, Key: key, ConditionExpression: e.all(conditions)}
	w.ExpressionAttributeNames, w.ExpressionAttributeValues = e.names, e.values
	return Write{types.TransactWriteItem{ConditionCheck: w}}
}

// transactTries is how often Transact tries to make a transaction.
const transactTries = 6

// Transact makes writes in one transaction: either all take effect or none. The
// writes may be in several tables. If other writers or load cancel the transaction,
// Transact makes it again after a pause, a few times. It does not repeat a
// transaction that a condition cancelled. The error is that of the last try:
// ConditionFailedAt and Reasons say what happened to each write. If a response was
// lost, a condition must show that the write was made before.
func (t Table) Transact(ctx context.Context, writes ...Write) error {
	var err error
	for n := range transactTries {
		if paused := Pause(ctx, n); paused != nil {
			return paused
		}
		if err = t.TransactOnce(ctx, "", writes...); err == nil || unmet(err) || !Overtaken(err) && !Throttled(err) {
			return err
		}
	}
	return err
}

// TransactOnce is Transact with one try, besides the client's own retries. DynamoDB
// makes a transaction with the same token only once within ten minutes. A token has
// 1 to 36 characters. If it is empty, the client makes a random token.
func (t Table) TransactOnce(ctx context.Context, token string, writes ...Write) error {
	in := &dynamodb.TransactWriteItemsInput{TransactItems: make([]types.TransactWriteItem, len(writes))}
	for i, w := range writes {
		in.TransactItems[i] = w.item
	}
	if token != "" {
		in.ClientRequestToken = &token
	}
	_, err := t.DB.TransactWriteItems(ctx, in, t.options...)
	return err
}
