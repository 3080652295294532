package main

import (
	"context"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/vcs"
)

// ear takes the place of the stores behind the function, and remembers the calls.
type ear struct {
	next *kv.Position // what an iteration returns

	write   *kv.Write
	version *int
	targets []kv.Target
	rows    *kv.Range
	upload  *artifact.New
	numbers map[string]any // all other parameters, by their names in the API
}

func (e *ear) Get(_ context.Context, _ kv.Caller, at kv.Position, drafts, _ bool) (kv.Record, error) {
	e.numbers = map[string]any{"idx": at.Idx, "committed": !drafts}
	return kv.Record{Data: []byte("null")}, nil
}

func (e *ear) Set(_ context.Context, _ kv.Caller, w kv.Write) (kv.Record, error) {
	e.write = &w
	return kv.Record{}, nil
}

func (e *ear) CompareAndSet(_ context.Context, _ kv.Caller, w kv.Write, version *int) (kv.Record, error) {
	e.write, e.version = &w, version
	return kv.Record{}, nil
}

func (e *ear) Delete(_ context.Context, _ kv.Caller, target kv.Target, version *int) (bool, error) {
	e.numbers = map[string]any{"idx": orNil(target.Idx), "version": orNil(version)}
	return true, nil
}

func (e *ear) Count(_ context.Context, _ kv.Caller, _ string, drafts bool) (count, maxIdx int, err error) {
	e.numbers = map[string]any{"committed": !drafts}
	return 1, 0, nil
}

func (e *ear) Size(_ context.Context, _ kv.Caller, target kv.Target, drafts bool) (int, error) {
	e.numbers = map[string]any{"idx": orNil(target.Idx), "committed": !drafts}
	return 1, nil
}

func (*ear) NewBudget() *kv.Budget { return nil }

func (e *ear) Iterate(_ context.Context, _ kv.Caller, r kv.Range) ([]kv.Record, *kv.Position, error) {
	e.rows = &r
	e.numbers = map[string]any{
		"idx": orNil(r.Idx), "inclusive": r.Inclusive, "prefix": r.Prefix, "committed": !r.Drafts, "include_data": r.WithData, "limit": r.Limit,
	}
	return nil, e.next, nil
}

func (e *ear) Commit(_ context.Context, _ kv.Caller, targets []kv.Target) ([]kv.Position, error) {
	e.targets = targets
	return nil, nil
}

func (e *ear) Create(_ context.Context, _ kv.Caller, n artifact.New) (artifact.Upload, artifact.Page, error) {
	e.upload = &n
	return artifact.Upload{ID: anUpload}, artifact.Page{}, nil
}

func (e *ear) Show(_ context.Context, _ kv.Caller, id string, after, limit int) (artifact.Upload, artifact.Page, error) {
	e.numbers = map[string]any{"after": after, "limit": limit}
	return artifact.Upload{ID: id}, artifact.Page{}, nil
}

func (e *ear) List(_ context.Context, _ vcs.Installation, _ time.Time, after string, limit int) ([]artifact.Upload, string, error) {
	e.numbers = map[string]any{"cursor": after, "limit": limit}
	return nil, "", nil
}

func (e *ear) Complete(context.Context, kv.Caller, string) (artifact.Upload, error) {
	return artifact.Upload{}, nil
}

func (e *ear) Abort(context.Context, kv.Caller, string) error {
	return nil
}

func (e *ear) Open(_ context.Context, _ kv.Caller, at kv.Position, drafts bool) (artifact.Download, error) {
	e.numbers = map[string]any{"idx": at.Idx, "committed": !drafts}
	return artifact.Download{}, nil
}

// anUpload is an id in the form of an upload's id.
var anUpload = strings.Repeat("0123456789abcdef", 2)

func orNil(n *int) any {
	if n == nil {
		return nil
	}
	return *n
}
