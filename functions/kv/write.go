package main

import (
	"context"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
)

// storing is a request to set, or to compare and set.
type storing struct {
	write   kv.Write
	version *int
}

func readCompareAndSet(key string, b *httpapi.Body) (storing, error) {
	s, err := readSet(key, b)
	if err != nil {
		return storing{}, err
	}
	s.version = b.OptionalInt("version", 0, kv.MaxVersion)
	return s, b.Err()
}

func readSet(key string, b *httpapi.Body) (storing, error) {
	w := kv.Write{
		Key: key, Idx: orZero(b.OptionalInt("idx", kv.MinIdx, kv.MaxIdx)), Committed: b.Bool("committed", true),
		ReadCaps: b.CapabilitySet("read_caps"), WriteCaps: b.CapabilitySet("write_caps"),
	}
	w.Value = b.Value("data")
	return storing{write: w}, b.Err()
}

func (k keys) set(ctx context.Context, call httpapi.Call, s storing) (record, error) {
	rec, err := k.store.Set(ctx, caller(call), s.write)
	return show(rec), err
}

func (k keys) compareAndSet(ctx context.Context, call httpapi.Call, s storing) (record, error) {
	rec, err := k.store.CompareAndSet(ctx, caller(call), s.write, s.version)
	return show(rec), err
}

// deleting names the rows that shall be deleted: all of a key, one, or those at a
// version.
type deleting struct {
	key          string
	idx, version *int
}

// deleted says whether a row was deleted.
type deleted struct {
	Result bool `json:"result"`
}

func readDeleting(key string, p parameters) (deleting, error) {
	d := deleting{key, readIdx(p), p.OptionalInt("version", 0, kv.MaxVersion)}
	return d, p.Err()
}

func (k keys) delete(ctx context.Context, call httpapi.Call, d deleting) (deleted, error) {
	done, err := k.store.Delete(ctx, caller(call), kv.Target{Key: d.key, Idx: d.idx}, d.version)
	return deleted{done}, err
}
