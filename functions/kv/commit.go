package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// target is one entry of a commit's body.
type target struct {
	key *string
	idx *int
}

// UnmarshalJSON reads an entry strictly: a key that cannot be decoded exactly must
// not become another key.
func (t *target) UnmarshalJSON(text []byte) error {
	b := &body{path: "keys."}
	if err := json.Unmarshal(text, &b.members); err != nil || b.members == nil {
		return fault.Invalidf("INVALID_BODY", `an entry of "keys" must be an object with the member "key"`)
	}
	raw, ok := b.members["key"]
	if !ok {
		return fault.Invalidf("INVALID_BODY", `an entry of "keys" has no member "key"`)
	}
	key, err := canonical.DecodeString(raw)
	if err != nil {
		return fault.Invalidf("INVALID_BODY", `member "key" of an entry of "keys" must be a string of valid characters`)
	}
	t.key, t.idx = &key, b.int("idx", kv.MinIdx, kv.MaxIdx)
	return b.err
}

// decodeCommit returns the rows that shall be committed together.
func decodeCommit(r *http.Request) ([]kv.Target, error) {
	b := decodeBody(r)
	if b.err != nil {
		return nil, b.err
	}
	var entries []target
	err := json.Unmarshal(b.members["keys"], &entries)
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return nil, f
	case err != nil || entries == nil:
		return nil, fault.Invalidf("INVALID_BODY", `member "keys" is required: a list of objects with "key" and, for one row of it, "idx"`)
	}
	targets := make([]kv.Target, len(entries))
	for i, e := range entries {
		targets[i] = kv.Target{Key: *e.key, Idx: e.idx}
	}
	return targets, nil
}

// position is a row in the response to a commit.
type position struct {
	Idx int    `json:"idx"`
	Key string `json:"key"`
}

// committed lists the rows that a commit changed.
type committed struct {
	Keys []position `json:"keys"`

	omitted int
}

// headerOmitted says how many rows were committed but are not listed, because the
// list would not fit into a response.
const headerOmitted = "Opsplane-Omitted"

// SetHeaders implements httpapi.Headerer.
func (c committed) SetHeaders(h http.Header) {
	if c.omitted > 0 {
		h.Set(headerOmitted, strconv.Itoa(c.omitted))
	}
}

var _ httpapi.Headerer = committed{}

func (k keys) commit(ctx context.Context, call httpapi.Call, targets []kv.Target) (committed, error) {
	changed, err := k.store.Commit(ctx, caller(call), targets)
	if err != nil {
		return committed{}, err
	}
	answer := committed{Keys: make([]position, 0, len(changed))}
	total := 0
	for i, at := range changed {
		p := position{at.Idx, at.Key}
		w, err := weight(p)
		if err != nil {
			return committed{}, err
		}
		if total += w; total > kv.MaxEscapedValue {
			answer.omitted = len(changed) - i
			break
		}
		answer.Keys = append(answer.Keys, p)
	}
	return answer, nil
}
