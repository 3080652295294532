package kv

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// edit collects the parts of one conditional update of an item.
type edit struct {
	sets, removes, conditions []string
	values                    attr.Item
}

// newEdit returns an edit that records its author.
func newEdit(author change.Author) *edit {
	e := &edit{values: attr.Item{}}
	e.sets = append(e.sets, author.Set(e.values))
	return e
}

// set assigns a value to an attribute.
func (e *edit) set(name string, v types.AttributeValue) {
	e.values[":"+name] = v
	e.sets = append(e.sets, name+" = :"+name)
}

// setOr assigns a value if keep is true, and removes the attribute otherwise.
func (e *edit) setOr(keep bool, name string, v types.AttributeValue) {
	if keep {
		e.set(name, v)
		return
	}
	e.removes = append(e.removes, name)
}

// setVersion assigns the version.
func (e *edit) setVersion(n int) { e.set("vr", attr.Int(int64(n))) }

// count adds 1 to a counter. If the counter does not exist, it becomes first.
func (e *edit) count(name string, first int) {
	e.values[":one"], e.values[":"+name+"_0"] = attr.Int(1), attr.Int(int64(first-1))
	e.sets = append(e.sets, name+" = if_not_exists("+name+", :"+name+"_0) + :one")
}

// require adds a condition. All conditions must hold.
func (e *edit) require(condition string) { e.conditions = append(e.conditions, condition) }

// requireEqual requires that an attribute has this value.
func (e *edit) requireEqual(name string, v types.AttributeValue) {
	e.values[":is_"+name] = v
	e.require(name + " = :is_" + name)
}

// requireAbsent requires that an attribute does not exist.
func (e *edit) requireAbsent(name string) { e.require("attribute_not_exists(" + name + ")") }

// requireRevision requires that the cell has the revision of c, or no revision if c
// has none.
func (e *edit) requireRevision(c cell) {
	if c.revision == nil {
		e.requireAbsent("rv")
		return
	}
	e.requireEqual("rv", attr.Int(int64(*c.revision)))
}

func (e *edit) expression() string {
	text := "SET " + strings.Join(e.sets, ", ")
	if len(e.removes) > 0 {
		text += " REMOVE " + strings.Join(e.removes, ", ")
	}
	return text
}

// names maps "#ttl" to the attribute ttl, which is a reserved word of the
// expression language. It returns nil if the edit does not use it, because DynamoDB
// refuses a name that is not used.
func (e *edit) names() map[string]string {
	for _, list := range [][]string{e.sets, e.removes, e.conditions} {
		for _, s := range list {
			if strings.Contains(s, "#ttl") {
				return map[string]string{"#ttl": "ttl"}
			}
		}
	}
	return nil
}

func (e *edit) condition() *string {
	if len(e.conditions) == 0 {
		return nil
	}
	c := strings.Join(e.conditions, " AND ")
	return &c
}

// input returns the edit as an update of one item. The update returns the new item.
// If the condition fails, it returns the present item.
func (e *edit) input(table string, key attr.Item) *dynamodb.UpdateItemInput {
	expression := e.expression()
	return &dynamodb.UpdateItemInput{
		TableName: &table, Key: key, UpdateExpression: &expression,
		ConditionExpression: e.condition(), ExpressionAttributeValues: e.values, ExpressionAttributeNames: e.names(),
		ReturnValues: types.ReturnValueAllNew, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}

// transact returns the edit as a part of a transaction.
func (e *edit) transact(table string, key attr.Item) types.TransactWriteItem {
	expression := e.expression()
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &table, Key: key, UpdateExpression: &expression,
		ConditionExpression: e.condition(), ExpressionAttributeValues: e.values, ExpressionAttributeNames: e.names(),
	}}
}
