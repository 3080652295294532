package main

import (
	"context"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/vcs"
)

// storing is a request to set, or to compare and set.
type storing struct {
	ns      vcs.Installation
	write   kv.Write
	version *int
}

func decodeSet(r *http.Request) (storing, error) {
	row, err := decodeKey(r)
	if err != nil {
		return storing{}, err
	}
	return readSet(row, decodeBody(r))
}

func decodeCompareAndSet(r *http.Request) (storing, error) {
	row, err := decodeKey(r)
	if err != nil {
		return storing{}, err
	}
	return readCompareAndSet(row, decodeBody(r))
}

func readCompareAndSet(row named, b *body) (storing, error) {
	s, err := readSet(row, b)
	if err != nil {
		return storing{}, err
	}
	s.version = b.int("version", 0, kv.MaxVersion)
	return s, b.err
}

func readSet(row named, b *body) (storing, error) {
	w := kv.Write{
		Key: row.key, Idx: orZero(b.int("idx", kv.MinIdx, kv.MaxIdx)), Committed: b.bool("committed", true),
		ReadCaps: b.caps("read_caps"), WriteCaps: b.caps("write_caps"),
	}
	w.Value = b.value("data")
	return storing{ns: row.ns, write: w}, b.err
}

func (k keys) set(ctx context.Context, call httpapi.Call, s storing) (record, error) {
	rec, err := k.store.Set(ctx, caller(call, s.ns), s.write)
	return show(rec), err
}

func (k keys) compareAndSet(ctx context.Context, call httpapi.Call, s storing) (record, error) {
	rec, err := k.store.CompareAndSet(ctx, caller(call, s.ns), s.write, s.version)
	return show(rec), err
}

// deleting names the rows that shall be deleted: all of a key, one, or those at a
// version.
type deleting struct {
	named
	idx, version *int
}

// deleted says whether a row was deleted.
type deleted struct {
	Result bool `json:"result"`
}

func decodeDelete(r *http.Request) (deleting, error) {
	row, err := decodeKey(r)
	if err != nil {
		return deleting{}, err
	}
	return readDeleting(row, queryOf(r))
}

func readDeleting(row named, p parameters) (deleting, error) {
	d := deleting{row, readIdx(p), p.int("version", 0, kv.MaxVersion)}
	return d, p.failure()
}

func (k keys) delete(ctx context.Context, call httpapi.Call, d deleting) (deleted, error) {
	done, err := k.store.Delete(ctx, caller(call, d.ns), kv.Target{Key: d.key, Idx: d.idx}, d.version)
	return deleted{done}, err
}
