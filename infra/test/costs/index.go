//go:build unix

package costs

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// tableInfo holds what determines the cost of a table's indexes.
type tableInfo struct{ indexes []indexInfo }

// indexInfo is one index of a table.
type indexInfo struct {
	// keys are the attributes of the index's key and of the table's key.
	keys []string
	// more are the other attributes that an entry has. If all is true, an entry has every
	// attribute.
	more []string
	all  bool
	// global is true for a global index. DynamoDB writes to it separately, and never as a part
	// of a transaction.
	global bool
}

// entry returns the copy of an item in the index, or nil if the index has none.
func (i indexInfo) entry(item attr.Item) attr.Item {
	entry := attr.Item{}
	for _, name := range i.keys {
		if item[name] == nil {
			return nil
		}
		entry[name] = item[name]
	}
	if i.all {
		return item
	}
	for _, name := range i.more {
		if item[name] != nil {
			entry[name] = item[name]
		}
	}
	return entry
}

// writes returns the write units that a change of an item costs in the index. An entry that is
// added, removed or changed is one write. An entry whose key changes is two writes.
func (i indexInfo) writes(before, after attr.Item) float64 {
	old, now := i.entry(before), i.entry(after)
	switch {
	case reflect.DeepEqual(old, now):
		return 0
	case old == nil:
		return writeUnits(ItemSize(now))
	case now == nil:
		return writeUnits(ItemSize(old))
	}
	for _, name := range i.keys {
		if !reflect.DeepEqual(old[name], now[name]) {
			return writeUnits(ItemSize(old)) + writeUnits(ItemSize(now))
		}
	}
	return writeUnits(max(ItemSize(old), ItemSize(now)))
}

// indexWrites returns the write units for the copies in the indexes.
func (m *Meter) indexWrites(r *http.Request, w write, before, after attr.Item) (float64, error) {
	info, err := m.describe(r, w.table)
	if err != nil {
		return 0, err
	}
	units := 0.0
	for _, index := range info.indexes {
		factor := w.factor
		if index.global {
			factor = 1
		}
		units += factor * index.writes(before, after)
	}
	return units, nil
}

func (m *Meter) describe(r *http.Request, table string) (*tableInfo, error) {
	if info := m.indexes[table]; info != nil {
		return info, nil
	}
	_, text, err := m.send(r, "DescribeTable", fmt.Appendf(nil, `{"TableName":%q}`, table))
	if err != nil {
		return nil, err
	}
	type keys []struct{ AttributeName string }
	type index struct {
		KeySchema  keys
		Projection struct {
			ProjectionType   string
			NonKeyAttributes []string
		}
	}
	var a struct {
		Table struct {
			KeySchema                                     keys
			LocalSecondaryIndexes, GlobalSecondaryIndexes []index
		}
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, fmt.Errorf("decode table: %w", err)
	}
	info := &tableInfo{}
	add := func(list []index, global bool) {
		for _, each := range list {
			i := indexInfo{all: each.Projection.ProjectionType == "ALL", more: each.Projection.NonKeyAttributes, global: global}
			for _, k := range append(each.KeySchema, a.Table.KeySchema...) {
				i.keys = append(i.keys, k.AttributeName)
			}
			info.indexes = append(info.indexes, i)
		}
	}
	add(a.Table.LocalSecondaryIndexes, false)
	add(a.Table.GlobalSecondaryIndexes, true)
	m.indexes[table] = info
	return info, nil
}
