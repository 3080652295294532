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

// measure sends a request to DynamoDB and returns its units by AWS's documentation ("Read and
// write operations", "Local secondary indexes", "Using Global Secondary Indexes",
// "Transactions"). The units that the server reports for the table must agree. The servers'
// reports about indexes and about missing items are not compared, because each local server
// reports something else.
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
			continue // a failed condition is charged, but no index is changed
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

// agree returns an error if the units differ from those that a server reports for its tables.
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
	// DynamoDB Local counts the items with binary keys in a transaction as one item.
	if total != units && (operation != "TransactWriteItems" || total == 0 || total > units) {
		return fmt.Errorf("computed %v units for %s, the server reports %v", units, operation, total)
	}
	return nil
}

// items reads the current items. An item that does not exist is empty.
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

// placeholder matches the placeholder of a name or of a value in an expression.
var placeholder = regexp.MustCompile(`[:#]\w+`)

// whole repeats a query so that its response contains everything that the query read and that
// is charged. The original response may leave out some of it.
func (m *Meter) whole(r *http.Request, body []byte) ([]wireItem, error) {
	plain, err := edited(body, func(members map[string]json.RawMessage) {
		for _, name := range []string{"Select", "FilterExpression", "ProjectionExpression"} {
			delete(members, name)
		}
		// DynamoDB refuses placeholders that no expression uses, and an empty list of
		// placeholders.
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

// edited returns a JSON object after a change of its members.
func edited(object []byte, change func(map[string]json.RawMessage)) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, fmt.Errorf("decode object: %w", err)
	}
	change(members)
	return json.Marshal(members)
}
