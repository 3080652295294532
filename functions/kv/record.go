package main

import (
	"encoding/json"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/kv/selection"
)

// record is a row on the wire. Data is null in the response to a write, because the
// client has just sent the value. It is also null if the request does not ask for
// it.
type record struct {
	Committed bool            `json:"committed"`
	CreatedAt string          `json:"created_at"`
	Data      json.RawMessage `json:"data"`
	Idx       int             `json:"idx"`
	Key       string          `json:"key"`
	ReadCaps  *access.Set     `json:"read_caps,omitempty"`
	Size      int             `json:"size"`
	Version   int             `json:"version"`
	WriteCaps *access.Set     `json:"write_caps,omitempty"`
}

// show returns the wire form of a row.
func show(r kv.Record) record {
	return record{
		Committed: r.Committed, CreatedAt: timestamp.Format(r.CreatedAt), Data: r.Data,
		Idx: r.Idx, Key: r.Key, ReadCaps: list(r.ReadCaps), Size: r.Size, Version: r.Version, WriteCaps: list(r.WriteCaps),
	}
}

// list makes sure that an empty set is written as [] and not as null.
func list(caps *access.Set) *access.Set {
	if caps != nil && *caps == nil {
		return &access.Set{}
	}
	return caps
}

// showSelected does the same as show, with the selected parts instead of the value.
func showSelected(r kv.Record, s selection.Selection) (record, error) {
	selected, err := s.Apply(r.Data)
	if err != nil {
		return record{}, err
	}
	if s != nil && canonical.EscapedLen(selected) > kv.MaxEscapedValue {
		return record{}, fault.Invalidf("SELECTION_TOO_LARGE",
			"the selected parts take more than %d bytes inside a response; select fewer", kv.MaxEscapedValue)
	}
	r.Data = selected
	return show(r), nil
}

// weight returns how many bytes the row takes in a list in a response. The gateway
// receives the response as a JSON string.
func (r record) weight() (int, error) {
	value := r.Data
	r.Data = nil
	n, err := weight(r)
	return n + canonical.EscapedLen(value), err
}

// weight returns the same for any other member of a list. It counts characters that
// need an escape in HTML as if they were escaped. A few bytes too many do no harm.
func weight(v any) (int, error) {
	b, err := json.Marshal(v)
	return canonical.EscapedLen(b) + len(","), err
}
