package iam

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Account holds the resources that requests may name.
type Account struct {
	// Tables are the tables by the names that requests use.
	Tables map[string]Table
	// Buckets are the ARNs of buckets by the names that requests use.
	Buckets map[string]string
}

// Table is what a policy must know of a table.
type Table struct {
	ARN string
	// Key is the name of the partition key.
	Key string
	// IndexKeys are the names of the partition keys of the indexes, by index.
	IndexKeys map[string]string
}

// everyAttribute stands for all attributes of an item, among the values of
// dynamodb:Attributes. Only the pattern * allows it.
const everyAttribute = "*"

type item = map[string]types.AttributeValue

// use is a request to one table in the form in which it is judged.
type use struct {
	action       string
	table, index *string
	keys         []item            // keys or whole items
	partition    string            // of a Query
	expressions  []*string         // all but the projection
	projection   *string           // of a read
	aliases      map[string]string // names that the expressions use
	selects      types.Select      // what a read returns
	returns      types.ReturnValue // what a write returns
	failure      types.ReturnValuesOnConditionCheckFailure
	capacity     types.ReturnConsumedCapacity
	enclosing    string // the operation that the request is a part of
}

// dynamoDB returns the permissions that a request to DynamoDB needs. The second result is
// false if in is not such a request.
func (a Account) dynamoDB(in any) (needed []Request, known bool, err error) {
	var uses []use
	switch in := in.(type) {
	case *dynamodb.GetItemInput:
		uses = []use{{
			action: "GetItem", table: in.TableName, keys: []item{in.Key}, projection: in.ProjectionExpression, aliases: in.ExpressionAttributeNames,
			selects: selected("", in.ProjectionExpression, nil), capacity: in.ReturnConsumedCapacity,
		}}
	case *dynamodb.BatchGetItemInput:
		for name, of := range in.RequestItems {
			if err := noLegacy(of); err != nil {
				return nil, true, err
			}
			uses = append(uses, use{
				action: "BatchGetItem", table: &name, keys: of.Keys, projection: of.ProjectionExpression, aliases: of.ExpressionAttributeNames,
				selects: selected("", of.ProjectionExpression, nil), capacity: in.ReturnConsumedCapacity,
			})
		}
	case *dynamodb.QueryInput:
		u := use{
			action: "Query", table: in.TableName, index: in.IndexName, projection: in.ProjectionExpression, aliases: in.ExpressionAttributeNames,
			expressions: []*string{in.KeyConditionExpression, in.FilterExpression},
			selects:     selected(in.Select, in.ProjectionExpression, in.IndexName), capacity: in.ReturnConsumedCapacity,
		}
		u.partition, err = a.partition(in)
		uses = []use{u}
	case *dynamodb.ScanInput:
		uses = []use{{
			action: "Scan", table: in.TableName, index: in.IndexName, projection: in.ProjectionExpression, aliases: in.ExpressionAttributeNames,
			expressions: []*string{in.FilterExpression}, selects: selected(in.Select, in.ProjectionExpression, in.IndexName), capacity: in.ReturnConsumedCapacity,
		}}
	case *dynamodb.PutItemInput:
		uses = []use{{
			action: "PutItem", table: in.TableName, keys: []item{in.Item}, expressions: []*string{in.ConditionExpression}, aliases: in.ExpressionAttributeNames,
			returns: in.ReturnValues, failure: in.ReturnValuesOnConditionCheckFailure, capacity: in.ReturnConsumedCapacity,
		}}
	case *dynamodb.UpdateItemInput:
		uses = []use{{
			action: "UpdateItem", table: in.TableName, keys: []item{in.Key}, expressions: []*string{in.ConditionExpression, in.UpdateExpression},
			aliases: in.ExpressionAttributeNames,
			returns: in.ReturnValues, failure: in.ReturnValuesOnConditionCheckFailure, capacity: in.ReturnConsumedCapacity,
		}}
	case *dynamodb.DeleteItemInput:
		uses = []use{{
			action: "DeleteItem", table: in.TableName, keys: []item{in.Key}, expressions: []*string{in.ConditionExpression}, aliases: in.ExpressionAttributeNames,
			returns: in.ReturnValues, failure: in.ReturnValuesOnConditionCheckFailure, capacity: in.ReturnConsumedCapacity,
		}}
	case *dynamodb.BatchWriteItemInput:
		for name, writes := range in.RequestItems {
			u := use{action: "BatchWriteItem", table: &name, capacity: in.ReturnConsumedCapacity}
			for _, w := range writes {
				if w.PutRequest != nil {
					u.keys = append(u.keys, w.PutRequest.Item)
				}
				if w.DeleteRequest != nil {
					u.keys = append(u.keys, w.DeleteRequest.Key)
				}
			}
			uses = append(uses, u)
		}
	case *dynamodb.TransactWriteItemsInput:
		for _, w := range in.TransactItems {
			uses = append(uses, transacted(w, in.ReturnConsumedCapacity))
		}
	case *dynamodb.TransactGetItemsInput:
		for _, g := range in.TransactItems {
			uses = append(uses, use{
				action: "GetItem", table: g.Get.TableName, keys: []item{g.Get.Key}, projection: g.Get.ProjectionExpression, aliases: g.Get.ExpressionAttributeNames,
				selects: selected("", g.Get.ProjectionExpression, nil), capacity: in.ReturnConsumedCapacity, enclosing: "TransactGetItems",
			})
		}
	default:
		return nil, false, nil
	}
	if err == nil {
		err = noLegacy(in)
	}
	for _, u := range uses {
		r, e := a.request(u)
		needed, err = append(needed, r), errors.Join(err, e)
	}
	return needed, true, err
}

// transacted returns one item of a transaction. IAM judges it as a request of its own.
func transacted(w types.TransactWriteItem, capacity types.ReturnConsumedCapacity) use {
	const enclosing = "TransactWriteItems"
	switch {
	case w.Put != nil:
		p := w.Put
		return use{
			action: "PutItem", table: p.TableName, keys: []item{p.Item}, expressions: []*string{p.ConditionExpression}, aliases: p.ExpressionAttributeNames,
			failure: p.ReturnValuesOnConditionCheckFailure, capacity: capacity, enclosing: enclosing,
		}
	case w.Update != nil:
		u := w.Update
		return use{
			action: "UpdateItem", table: u.TableName, keys: []item{u.Key}, expressions: []*string{u.ConditionExpression, u.UpdateExpression},
			aliases: u.ExpressionAttributeNames, failure: u.ReturnValuesOnConditionCheckFailure, capacity: capacity, enclosing: enclosing,
		}
	case w.Delete != nil:
		d := w.Delete
		return use{
			action: "DeleteItem", table: d.TableName, keys: []item{d.Key}, expressions: []*string{d.ConditionExpression}, aliases: d.ExpressionAttributeNames,
			failure: d.ReturnValuesOnConditionCheckFailure, capacity: capacity, enclosing: enclosing,
		}
	case w.ConditionCheck != nil:
		c := w.ConditionCheck
		return use{
			action: "ConditionCheckItem", table: c.TableName, keys: []item{c.Key}, expressions: []*string{c.ConditionExpression}, aliases: c.ExpressionAttributeNames,
			failure: c.ReturnValuesOnConditionCheckFailure, capacity: capacity, enclosing: enclosing,
		}
	}
	return use{action: "an empty item of a transaction"}
}

// request returns the permission that a use of a table needs.
func (a Account) request(u use) (Request, error) {
	table, ok := a.Tables[aws.ToString(u.table)]
	if !ok {
		return Request{}, fmt.Errorf("%s: the template has no table %q", u.action, aws.ToString(u.table))
	}
	r := Request{Action: "dynamodb:" + u.action, Resource: table.ARN, Context: map[string][]string{secureTransport: {"true"}}}
	if u.index != nil {
		r.Resource += "/index/" + *u.index
	}
	var keys []string
	if u.partition != "" {
		keys = []string{u.partition}
	}
	for _, of := range u.keys {
		value, err := text(of[table.Key])
		if err != nil {
			return r, fmt.Errorf("%s: the partition key: %w", u.action, err)
		}
		keys = append(keys, value)
	}
	if len(keys) > 0 {
		r.Context["dynamodb:LeadingKeys"] = keys
	}
	attributes, err := u.attributes()
	if err != nil {
		return r, fmt.Errorf("%s: %w", u.action, err)
	}
	r.Context["dynamodb:Attributes"] = attributes
	for key, value := range map[string]string{
		"dynamodb:Select": string(u.selects), "dynamodb:ReturnValues": string(u.returns),
		"dynamodb:ReturnConsumedCapacity": string(u.capacity), "dynamodb:EnclosingOperation": u.enclosing,
	} {
		if value != "" {
			r.Context[key] = []string{value}
		}
	}
	return r, nil
}

// attributes returns the top-level attributes that the request names or gets back, in order.
func (u use) attributes() ([]string, error) {
	names := map[string]struct{}{}
	for _, of := range u.keys {
		for name := range of {
			names[name] = struct{}{}
		}
	}
	for _, expression := range append(u.expressions, u.projection) {
		found, err := attributesOf(aws.ToString(expression), u.aliases)
		if err != nil {
			return nil, err
		}
		for _, name := range found {
			names[name] = struct{}{}
		}
	}
	if u.returnsAll() {
		names[everyAttribute] = struct{}{}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// returnsAll reports whether the response can have attributes that the request does not name.
// This is stricter than AWS, where policies say it with dynamodb:Select and
// dynamodb:ReturnValues, and where no key is for what a failed condition returns.
func (u use) returnsAll() bool {
	return u.selects == types.SelectAllAttributes || u.selects == types.SelectAllProjectedAttributes ||
		u.returns == types.ReturnValueAllOld || u.returns == types.ReturnValueAllNew ||
		u.failure == types.ReturnValuesOnConditionCheckFailureAllOld
}

// selected returns the value of dynamodb:Select for a read. A request that does not say it has
// DynamoDB's default.
func selected(said types.Select, projection, index *string) types.Select {
	switch {
	case said != "":
		return said
	case projection != nil:
		return types.SelectSpecificAttributes
	case index != nil:
		return types.SelectAllProjectedAttributes
	}
	return types.SelectAllAttributes
}

// partition returns the partition key that a query reads.
func (a Account) partition(in *dynamodb.QueryInput) (string, error) {
	table := a.Tables[aws.ToString(in.TableName)]
	key := table.Key
	if in.IndexName != nil {
		key = table.IndexKeys[*in.IndexName]
	}
	name, ok := valueOf(aws.ToString(in.KeyConditionExpression), key, in.ExpressionAttributeNames)
	if !ok {
		return "", fmt.Errorf("the query does not say which %q it reads", key)
	}
	return text(in.ExpressionAttributeValues[name])
}

// text returns the value of a key attribute in the form in which policies compare it.
func text(value types.AttributeValue) (string, error) {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return v.Value, nil
	case *types.AttributeValueMemberN:
		return v.Value, nil
	case *types.AttributeValueMemberB:
		return base64.StdEncoding.EncodeToString(v.Value), nil
	}
	return "", fmt.Errorf("%T is not the value of a key", value)
}

// noLegacy refuses the parameters that expressions have replaced. They name attributes in
// other ways ("Legacy conditional parameters", Amazon DynamoDB Developer Guide).
func noLegacy(in any) error {
	if name := firstSet(in,
		"AttributesToGet", "AttributeUpdates", "ConditionalOperator", "Expected", "KeyConditions", "QueryFilter", "ScanFilter",
	); name != "" {
		return fmt.Errorf("the legacy parameter %s is not supported", name)
	}
	return nil
}

// firstSet returns the first of the names that is a field of in with a value, or "" if there
// is none. in is a struct or a pointer to one.
func firstSet(in any, names ...string) string {
	v := reflect.Indirect(reflect.ValueOf(in))
	for _, name := range names {
		if f := v.FieldByName(name); f.IsValid() && !f.IsZero() {
			return name
		}
	}
	return ""
}
