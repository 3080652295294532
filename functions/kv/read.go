package main

import (
	"context"
	"net/http"

	"github.com/opsplane/opsplane/shared/httpapi"
	"github.com/opsplane/opsplane/shared/selection"
)

// getting asks for one row.
type getting struct {
	named
	idx    int
	drafts bool
	parts  selection.Selection
}

func decodeGet(r *http.Request) (getting, error) {
	row, err := decodeKey(r)
	if err != nil {
		return getting{}, err
	}
	q := httpapi.NewQuery(r)
	parts, err := selection.Parse(q.All("select"))
	if err != nil {
		return getting{}, err
	}
	g := getting{named: row, idx: orZero(queryIdx(q)), drafts: !q.Bool("committed", true), parts: parts}
	return g, q.Err()
}

func (k keys) get(ctx context.Context, call httpapi.Call, g getting) (record, error) {
	rec, err := k.store.Get(ctx, g.ns, call.Caller.Capabilities, g.key, g.idx, g.drafts, g.parts.Reads())
	if err != nil {
		return record{}, err
	}
	return showSelected(rec, g.parts)
}

// counting asks for the rows of one key, or for one of them.
type counting struct {
	named
	idx    *int
	drafts bool
}

// count is how many rows a key has, and the largest idx.
type count struct {
	Count  int `json:"count"`
	MaxIdx int `json:"max_idx"`
}

func decodeCount(r *http.Request) (counting, error) {
	row, err := decodeKey(r)
	if err != nil {
		return counting{}, err
	}
	q := httpapi.NewQuery(r)
	return counting{named: row, drafts: !q.Bool("committed", true)}, q.Err()
}

func (k keys) count(ctx context.Context, call httpapi.Call, c counting) (count, error) {
	n, maxIdx, err := k.store.Count(ctx, c.ns, call.Caller.Capabilities, c.key, c.drafts)
	return count{n, maxIdx}, err
}

// size is the sum of the sizes of rows.
type size struct {
	Size int `json:"size"`
}

func decodeSize(r *http.Request) (counting, error) {
	row, err := decodeKey(r)
	if err != nil {
		return counting{}, err
	}
	q := httpapi.NewQuery(r)
	return counting{named: row, idx: queryIdx(q), drafts: !q.Bool("committed", true)}, q.Err()
}

func (k keys) size(ctx context.Context, call httpapi.Call, c counting) (size, error) {
	n, err := k.store.Size(ctx, c.ns, call.Caller.Capabilities, c.key, c.idx, c.drafts)
	return size{n}, err
}
