//go:build unix

package costs

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// measure makes a request to DynamoDB and answers its units by AWS's
// documentation ("Read and write operations", "Local secondary indexes",
// "Using Global Secondary Indexes", "Transactions"). What the server itself reports of the table must agree; of
// indexes and of items that are missing, local servers report each its own.
func (m *Meter) measure(r *http.Request, operation string, body []byte) (reads, writes float64, response *http.Response, err error) {
	var q request
	if err := json.Unmarshal(body, &q); err != nil {
		return 0, 0, nil, fmt.Errorf("decode request: %w", err)
	}
	list, err := q.writes(operation)
	if err != nil {
		return 0, 0, nil, err
	}
	before, err := m.items(r, list)
	if err != nil {
		return 0, 0, nil, err
	}
	reporting, err := edited(body, func(members map[string]json.RawMessage) {
		members["ReturnConsumedCapacity"] = json.RawMessage(`"INDEXES"`)
	})
	if err != nil {
		return 0, 0, nil, err
	}
	response, text, err := m.send(r, operation, reporting)
	if err != nil {
		return 0, 0, nil, err
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return 0, 0, nil, fmt.Errorf("decode answer: %w", err)
	}
	after := before
	done := response.StatusCode == http.StatusOK
	if done {
		if after, err = m.items(r, list); err != nil {
			return 0, 0, nil, err
		}
	}
	table, exact := 0.0, true
	for i, w := range list {
		table += w.factor * writeUnits(max(ItemSize(before[i]), ItemSize(after[i])))
		if !done {
			continue // a failed condition is charged, but no index is touched
		}
		index, err := m.indexWrites(r, w, before[i], after[i])
		if err != nil {
			return 0, 0, nil, err
		}
		writes += index
	}
	writes += table
	if len(list) == 0 {
		if reads, exact, err = m.reads(r, operation, body, q, a); err != nil {
			return 0, 0, nil, err
		}
		table = reads
	}
	if done && exact {
		err = agree(operation, a.ConsumedCapacity, table)
	}
	return reads, writes, response, err
}

// agree compares with what a server reports of its tables.
func agree(operation string, report json.RawMessage, units float64) error {
	type consumed struct {
		Table struct{ CapacityUnits float64 }
	}
	var list []consumed
	if json.Unmarshal(report, &list) != nil {
		list = make([]consumed, 1)
		if err := json.Unmarshal(report, &list[0]); err != nil {
			return fmt.Errorf("read consumed capacity: %w", err)
		}
	}
	total := 0.0
	for _, c := range list {
		total += c.Table.CapacityUnits
	}
	// DynamoDB Local counts items with binary keys in a transaction as one.
	if total != units && (operation != "TransactWriteItems" || total == 0 || total > units) {
		return fmt.Errorf("computed %v units for %s, the server reports %v", units, operation, total)
	}
	return nil
}

// items reads items as they stand; those that do not exist are empty.
func (m *Meter) items(r *http.Request, list []write) ([]attr.Item, error) {
	found := make([]attr.Item, len(list))
	for i, w := range list {
		body, err := json.Marshal(map[string]any{"TableName": w.table, "Key": w.key, "ConsistentRead": true})
		if err != nil {
			return nil, err
		}
		_, text, err := m.send(r, "GetItem", body)
		if err != nil {
			return nil, err
		}
		var a answer
		if err := json.Unmarshal(text, &a); err != nil {
			return nil, fmt.Errorf("decode item: %w", err)
		}
		if found[i], err = a.Item.decode(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// placeholder is that of a name or of a value in an expression.
var placeholder = regexp.MustCompile(`[:#]\w+`)

// whole repeats a query whose answer leaves out something of what it read, and
// is charged for.
func (m *Meter) whole(r *http.Request, body []byte) ([]wireItem, error) {
	plain, err := edited(body, func(members map[string]json.RawMessage) {
		for _, name := range []string{"Select", "FilterExpression", "ProjectionExpression"} {
			delete(members, name)
		}
		// DynamoDB refuses placeholders that no expression uses, and an empty list of them.
		used := placeholder.FindAllString(string(members["KeyConditionExpression"]), -1)
		for _, list := range []string{"ExpressionAttributeNames", "ExpressionAttributeValues"} {
			if _, there := members[list]; !there {
				continue
			}
			left := 0
			members[list], _ = edited(members[list], func(known map[string]json.RawMessage) {
				maps.DeleteFunc(known, func(name string, _ json.RawMessage) bool { return !slices.Contains(used, name) })
				left = len(known)
			})
			if left == 0 {
				delete(members, list)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	response, text, err := m.send(r, "Query", plain)
	if err != nil {
		return nil, err
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("repeat the query: %s, %w", text, err)
	}
	return a.Items, nil
}

// edited is a JSON object with changed members.
func edited(object []byte, change func(map[string]json.RawMessage)) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, fmt.Errorf("decode object: %w", err)
	}
	change(members)
	return json.Marshal(members)
}
