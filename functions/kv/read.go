package main

import (
	"context"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/selection"
)

// getting is a request for one row.
type getting struct {
	key    string
	idx    int
	drafts bool
	parts  selection.Selection
}

func readGetting(key string, p parameters) (getting, error) {
	parts, err := selection.Parse(p.Strings("select"))
	if err != nil {
		return getting{}, err
	}
	g := getting{key: key, idx: orZero(readIdx(p)), drafts: readDrafts(p), parts: parts}
	return g, p.Err()
}

func (k keys) get(ctx context.Context, call httpapi.Call, g getting) (record, error) {
	rec, err := k.store.Get(ctx, caller(call), kv.Position{Key: g.key, Idx: g.idx}, g.drafts, g.parts.Reads())
	if err != nil {
		return record{}, err
	}
	return showSelected(rec, g.parts)
}

// counting is a request for the number or the size of the rows of one key, or of
// one row.
type counting struct {
	key    string
	idx    *int
	drafts bool
}

// count is the number of rows of a key and the largest idx.
type count struct {
	Count  int `json:"count"`
	MaxIdx int `json:"max_idx"`
}

func readCounting(key string, p parameters) (counting, error) {
	c := counting{key: key, drafts: readDrafts(p)}
	return c, p.Err()
}

func (k keys) count(ctx context.Context, call httpapi.Call, c counting) (count, error) {
	n, maxIdx, err := k.store.Count(ctx, caller(call), c.key, c.drafts)
	return count{n, maxIdx}, err
}

// size is the sum of the sizes of rows.
type size struct {
	Size int `json:"size"`
}

func readSizing(key string, p parameters) (counting, error) {
	c := counting{key: key, idx: readIdx(p), drafts: readDrafts(p)}
	return c, p.Err()
}

func (k keys) size(ctx context.Context, call httpapi.Call, c counting) (size, error) {
	n, err := k.store.Size(ctx, caller(call), kv.Target{Key: c.key, Idx: c.idx}, c.drafts)
	return size{n}, err
}
