package main

import (
	"context"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
)

// keys holds the operations on keys.
type keys struct{ store store }

// store is the store of these operations. The contract is that of kv.Store.
type store interface {
	Get(ctx context.Context, by kv.Caller, at kv.Position, drafts, withData bool) (kv.Record, error)
	Set(ctx context.Context, by kv.Caller, w kv.Write) (kv.Record, error)
	CompareAndSet(ctx context.Context, by kv.Caller, w kv.Write, version *int) (kv.Record, error)
	Delete(ctx context.Context, by kv.Caller, target kv.Target, version *int) (bool, error)
	Count(ctx context.Context, by kv.Caller, key string, drafts bool) (count, maxIdx int, err error)
	Size(ctx context.Context, by kv.Caller, target kv.Target, drafts bool) (int, error)
	NewBudget() *kv.Budget
	Iterate(ctx context.Context, by kv.Caller, r kv.Range) ([]kv.Record, *kv.Position, error)
	Commit(ctx context.Context, by kv.Caller, targets []kv.Target) ([]kv.Position, error)
}

// caller returns the caller of a request in the form that the stores need.
func caller(call httpapi.Call) kv.Caller {
	return kv.Caller{Installation: call.Installation, Capabilities: call.Caller.Capabilities, Author: call.Author()}
}

var _ store = (*kv.Store)(nil)
