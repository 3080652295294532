package main

import (
	"context"
	"net/http"

	"github.com/opsplane/opsplane/shared/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
)

// storing is what a set or a compare-and-set stores, and where.
type storing struct {
	ns      kv.Namespace
	write   kv.Write
	version *int
}

func decodeSet(r *http.Request) (storing, error) {
	s, _, err := decodeWrite(r)
	return s, err
}

func decodeCompareAndSet(r *http.Request) (storing, error) {
	s, b, err := decodeWrite(r)
	if err != nil {
		return storing{}, err
	}
	s.version = b.int("version", 0, kv.MaxVersion)
	return s, b.err
}

func decodeWrite(r *http.Request) (storing, *body, error) {
	row, err := decodeKey(r)
	if err != nil {
		return storing{}, nil, err
	}
	b := decodeBody(r)
	w := kv.Write{
		Key: row.key, Idx: orZero(b.int("idx", kv.MinIdx, kv.MaxIdx)), Committed: b.bool("committed", true),
		ReadCaps: b.caps("read_caps"), WriteCaps: b.caps("write_caps"),
	}
	w.Value = b.value("data")
	return storing{ns: row.ns, write: w}, b, b.err
}

func (k keys) set(ctx context.Context, call httpapi.Call, s storing) (record, error) {
	rec, err := k.store.Set(ctx, s.ns, call.Caller.Capabilities, call.Author(), s.write)
	return show(rec), err
}

func (k keys) compareAndSet(ctx context.Context, call httpapi.Call, s storing) (record, error) {
	rec, err := k.store.CompareAndSet(ctx, s.ns, call.Caller.Capabilities, call.Author(), s.write, s.version)
	return show(rec), err
}

// deleting names the rows to be deleted: all of the key, one, or those at a
// version.
type deleting struct {
	named
	idx, version *int
}

// deleted says whether any row went.
type deleted struct {
	Result bool `json:"result"`
}

func decodeDelete(r *http.Request) (deleting, error) {
	row, err := decodeKey(r)
	if err != nil {
		return deleting{}, err
	}
	q := httpapi.NewQuery(r)
	return deleting{row, queryIdx(q), optionalInt(q, "version", 0, kv.MaxVersion)}, q.Err()
}

func (k keys) delete(ctx context.Context, call httpapi.Call, d deleting) (deleted, error) {
	done, err := k.store.Delete(ctx, d.ns, call.Caller.Capabilities, call.Author(), d.key, d.idx, d.version)
	return deleted{done}, err
}
