//go:build unix

package storagetest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// query is a request to DynamoDB and the partitions that it uses.
type query struct {
	operation string
	members   map[string]json.RawMessage
	tables    map[string]json.RawMessage // of a batch, as the client sent them
	items     []touched
	held      []touched // items of a batch that are not sent
}

// touched is one item of a request, or the partition that a Query reads.
type touched struct {
	table     string
	partition string          // table, index and key
	entry     json.RawMessage // the item's text in a batch
}

// writes reports whether the request uses write units.
func (q *query) writes() bool {
	return slices.Contains([]string{"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}, q.operation)
}

func (q *query) batch() bool { return strings.HasPrefix(q.operation, "Batch") }

// keyed holds the members in which a request names an item.
type keyed struct {
	TableName, IndexName string
	Key, Item            map[string]json.RawMessage
}

func (k keyed) touched(keys map[string]string) touched {
	attributes := k.Key
	if attributes == nil {
		attributes = k.Item
	}
	return touched{table: k.TableName, partition: k.TableName + " " + string(attributes[keys[k.TableName]])}
}

// condition matches a comparison for equality in a key condition.
var condition = regexp.MustCompile(`([#\w]+)\s*=\s*(:\w+)`)

// parseQuery parses a request and finds its partitions. keys are the names of the partition
// keys.
func parseQuery(operation string, text []byte, keys map[string]string) (*query, error) {
	q := &query{operation: operation}
	if err := json.Unmarshal(text, &q.members); err != nil {
		return nil, err
	}
	var in struct {
		keyed
		KeyConditionExpression    string
		ExpressionAttributeNames  map[string]string
		ExpressionAttributeValues map[string]json.RawMessage
		TransactItems             []map[string]keyed
		RequestItems              map[string]json.RawMessage
	}
	err := json.Unmarshal(text, &in)
	if err != nil {
		return nil, err
	}
	switch operation {
	case "PutItem", "UpdateItem", "DeleteItem", "GetItem":
		q.items = []touched{in.touched(keys)}
	case "Query":
		place := in.TableName
		if _, global := keys[place+"/"+in.IndexName]; global {
			place += "/" + in.IndexName
		}
		for _, match := range condition.FindAllStringSubmatch(in.KeyConditionExpression, -1) {
			name := match[1]
			if alias, ok := in.ExpressionAttributeNames[name]; ok {
				name = alias
			}
			if name == keys[place] {
				q.items = []touched{{table: in.TableName, partition: place + " " + string(in.ExpressionAttributeValues[match[2]])}}
			}
		}
	case "TransactWriteItems", "TransactGetItems":
		for _, item := range in.TransactItems {
			for _, k := range item {
				q.items = append(q.items, k.touched(keys))
			}
		}
	case "BatchGetItem", "BatchWriteItem":
		q.tables = in.RequestItems
		q.items, err = q.unfold(in.RequestItems, keys)
	}
	return q, err
}

// unfold lists the items of a batch.
func (q *query) unfold(tables map[string]json.RawMessage, keys map[string]string) (items []touched, err error) {
	for table, text := range tables {
		var entries []json.RawMessage
		if q.operation == "BatchGetItem" {
			var get struct{ Keys []json.RawMessage }
			if err := json.Unmarshal(text, &get); err != nil {
				return nil, err
			}
			entries = get.Keys
		} else if err := json.Unmarshal(text, &entries); err != nil {
			return nil, err
		}
		for _, entry := range entries {
			k := keyed{TableName: table}
			if q.operation == "BatchGetItem" {
				if err := json.Unmarshal(entry, &k.Key); err != nil {
					return nil, err
				}
			} else {
				var write struct{ PutRequest, DeleteRequest keyed }
				if err := json.Unmarshal(entry, &write); err != nil {
					return nil, err
				}
				k.Item, k.Key = write.PutRequest.Item, write.DeleteRequest.Key
			}
			t := k.touched(keys)
			t.entry = entry
			items = append(items, t)
		}
	}
	return items, nil
}

// hold removes the refused items from a batch and keeps them in held.
func (q *query) hold(refused map[int]bool) {
	var sent []touched
	for i, item := range q.items {
		if refused[i] {
			q.held = append(q.held, item)
		} else {
			sent = append(sent, item)
		}
	}
	q.items = sent
}

// encode encodes the request. It asks the server to report the consumed units.
func (q *query) encode() ([]byte, error) {
	members := q.members
	members["ReturnConsumedCapacity"] = json.RawMessage(`"TOTAL"`)
	if len(q.held) > 0 {
		items, err := q.fold(q.items)
		if err != nil {
			return nil, err
		}
		members["RequestItems"] = items
	}
	return json.Marshal(members)
}

// fold encodes items of a batch, table by table, in the form of the request.
func (q *query) fold(items []touched) (json.RawMessage, error) {
	folded := map[string]any{}
	for table, text := range q.tables {
		var entries []json.RawMessage
		for _, item := range items {
			if item.table == table {
				entries = append(entries, item.entry)
			}
		}
		if len(entries) == 0 {
			continue
		}
		if q.operation != "BatchGetItem" {
			folded[table] = entries
			continue
		}
		get := map[string]any{}
		if err := json.Unmarshal(text, &get); err != nil {
			return nil, err
		}
		get["Keys"] = entries
		folded[table] = get
	}
	return json.Marshal(folded)
}

// unprocessed adds the held items to the response of a batch. The response also names the items
// that the server itself did not process.
func (q *query) unprocessed(answer []byte) ([]byte, error) {
	var out map[string]json.RawMessage
	if err := json.Unmarshal(answer, &out); err != nil {
		return nil, err
	}
	name := "UnprocessedItems"
	if q.operation == "BatchGetItem" {
		name = "UnprocessedKeys"
	}
	var tables map[string]json.RawMessage
	if left, ok := out[name]; ok {
		if err := json.Unmarshal(left, &tables); err != nil {
			return nil, err
		}
	}
	left, err := q.unfold(tables, nil)
	if err != nil {
		return nil, err
	}
	if out[name], err = q.fold(append(left, q.held...)); err != nil {
		return nil, err
	}
	return json.Marshal(out)
}
