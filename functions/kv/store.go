package main

import (
	"context"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/vcs"
)

// keys are the operations of this function.
type keys struct{ store store }

// store is what they work on; the contract is that of kv.Store.
type store interface {
	Get(ctx context.Context, ns vcs.Installation, caps access.Set, key string, idx int, drafts, withData bool) (kv.Record, error)
	Set(ctx context.Context, ns vcs.Installation, caps access.Set, author change.Author, w kv.Write) (kv.Record, error)
	CompareAndSet(ctx context.Context, ns vcs.Installation, caps access.Set, author change.Author, w kv.Write, version *int) (kv.Record, error)
	Delete(ctx context.Context, ns vcs.Installation, caps access.Set, author change.Author, key string, idx, version *int) (bool, error)
	Count(ctx context.Context, ns vcs.Installation, caps access.Set, key string, drafts bool) (count, maxIdx int, err error)
	Size(ctx context.Context, ns vcs.Installation, caps access.Set, key string, idx *int, drafts bool) (int, error)
	NewBudget() *kv.Budget
	Iterate(ctx context.Context, ns vcs.Installation, caps access.Set, r kv.Range) ([]kv.Record, *kv.Position, error)
	Commit(ctx context.Context, ns vcs.Installation, caps access.Set, author change.Author, targets []kv.Target) ([]kv.Position, error)
}

var _ store = (*kv.Store)(nil)
