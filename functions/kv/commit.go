package main

import (
	"context"
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
)

// entries are the rows and keys that one commit may name. A longer list names one of
// them twice, or more than the store commits together.
var entries = httpapi.ObjectList{
	Must:    `is required: a list of objects with "key" and, for one row of it, "idx"`,
	Element: `must be a list of objects: an entry must be an object with the member "key"`,
	Max:     kv.MaxCommitRows + kv.MaxCommitKeys,
	TooMany: "TOO_MANY_RECORDS",
}

// decodeCommit returns the rows that shall be committed together. A key that cannot
// be decoded exactly is refused: it must not become another key.
func decodeCommit(r *http.Request) ([]kv.Target, error) {
	b := httpapi.NewBody(r)
	if err := b.Err(); err != nil {
		return nil, err
	}
	var targets []kv.Target
	for entry := range b.Objects("keys", entries) {
		targets = append(targets, kv.Target{Key: entry.String("key"), Idx: readIdx(entry)})
	}
	return targets, b.Err()
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
	response := committed{Keys: make([]position, 0, len(changed))}
	total := 0
	for i, at := range changed {
		p := position{at.Idx, at.Key}
		w, err := weight(p)
		if err != nil {
			return committed{}, err
		}
		if total += w; total > kv.MaxEscapedValue {
			response.omitted = len(changed) - i
			break
		}
		response.Keys = append(response.Keys, p)
	}
	return response, nil
}
