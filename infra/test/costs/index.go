//go:build unix

package costs

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// tableInfo is what decides about the copies that indexes keep.
type tableInfo struct{ indexes []indexInfo }

// indexInfo is one index of a table.
type indexInfo struct {
	// keys are the attributes of its key and of the table's.
	keys []string
	// more are the attributes besides that an entry has; all has every one.
	more []string
	all  bool
	// global indexes follow the table by writes of their own, which are never
	// those of a transaction.
	global bool
}

// entry is an item's copy in the index; nil if it has none.
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

// writes are the units of what a change of an item does to the index: an entry
// that comes, goes or changes is a write, one whose key changes is two.
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

// indexWrites are the units of the copies that indexes keep.
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
