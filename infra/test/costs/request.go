//go:build unix

package costs

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// request holds the members of a request to DynamoDB that matter for its cost.
type request struct {
	TableName, IndexName                   string
	Key, Item                              wireItem
	ConsistentRead                         bool
	Select                                 string
	FilterExpression, ProjectionExpression string
	RequestItems                           map[string]json.RawMessage
	TransactItems                          []map[string]target
}

// target holds the table and the item of one part of a transaction.
type target struct {
	TableName string
	Key, Item wireItem
}

// answer holds the members of a response that matter for the cost.
type answer struct {
	Item             wireItem
	Items            []wireItem
	Responses        map[string][]wireItem
	ConsumedCapacity json.RawMessage
	UnprocessedKeys  map[string]json.RawMessage
}

// keys holds the keys that a batch reads from one table.
type keys struct {
	Keys           []wireItem
	ConsistentRead bool
}

// write is one item that a request may write.
type write struct {
	table  string
	key    wireItem
	factor float64 // 2 in a transaction
}

// writes lists the items that a request may write.
func (q request) writes(operation string) ([]write, error) {
	switch operation {
	case "PutItem":
		return []write{{q.TableName, primary(q.Item), 1}}, nil
	case "UpdateItem", "DeleteItem":
		return []write{{q.TableName, q.Key, 1}}, nil
	case "BatchWriteItem":
		return q.batchWrites()
	case "TransactWriteItems":
		var list []write
		for _, part := range q.TransactItems {
			for _, t := range part {
				if t.Item != nil {
					t.Key = primary(t.Item)
				}
				list = append(list, write{t.TableName, t.Key, 2})
			}
		}
		return list, nil
	}
	return nil, nil
}

func (q request) batchWrites() ([]write, error) {
	var list []write
	for table, raw := range q.RequestItems {
		var parts []struct {
			PutRequest    struct{ Item wireItem }
			DeleteRequest struct{ Key wireItem }
		}
		if err := json.Unmarshal(raw, &parts); err != nil {
			return nil, fmt.Errorf("decode batch: %w", err)
		}
		for _, p := range parts {
			key := p.DeleteRequest.Key
			if p.PutRequest.Item != nil {
				key = primary(p.PutRequest.Item)
			}
			list = append(list, write{table, key, 1})
		}
	}
	return list, nil
}

// primary returns the key of an item. Every table of the template has these two key attributes.
func primary(item wireItem) wireItem {
	return wireItem{"pk": item["pk"], "sk": item["sk"]}
}

// reads returns the units of a request that reads, computed from its response. exact is false
// if local servers are known to report something else than AWS's documentation says.
func (m *Meter) reads(r *http.Request, operation string, body []byte, q request, a answer) (units float64, exact bool, err error) {
	switch operation {
	case "GetItem":
		size, err := sizeOf(a.Item)
		return readUnits(size, q.ConsistentRead), true, err
	case "BatchGetItem":
		return batchReads(q, a)
	case "Query":
		items := a.Items
		if q.Select != "" || q.FilterExpression != "" || q.ProjectionExpression != "" {
			if items, err = m.whole(r, body); err != nil {
				return 0, false, err
			}
		}
		sum := 0
		for _, item := range items {
			size, err := sizeOf(item)
			if err != nil {
				return 0, false, err
			}
			sum += size
		}
		// For a response without items, one local server reports no unit. For an index, local
		// servers count copies of the key that AWS does not charge.
		return readUnits(sum, q.ConsistentRead), len(items) > 0 && q.IndexName == "", nil
	}
	return 0, false, fmt.Errorf("operation %s is not known here", operation)
}

// batchReads rounds up the size of every item separately. A missing item counts as one of the
// smallest size.
func batchReads(q request, a answer) (units float64, exact bool, err error) {
	exact = true
	for table, raw := range q.RequestItems {
		var asked keys
		if err := json.Unmarshal(raw, &asked); err != nil {
			return 0, false, fmt.Errorf("decode batch: %w", err)
		}
		found := a.Responses[table]
		for i := range asked.Keys {
			size := 0
			if i < len(found) {
				if size, err = sizeOf(found[i]); err != nil {
					return 0, false, err
				}
			}
			units += readUnits(size, asked.ConsistentRead)
		}
		exact = exact && len(found) == len(asked.Keys)
	}
	if len(a.UnprocessedKeys) > 0 {
		err = fmt.Errorf("a part of a batch was not processed")
	}
	return units, exact, err
}

func sizeOf(w wireItem) (int, error) {
	item, err := w.decode()
	return ItemSize(item), err
}
