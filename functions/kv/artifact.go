package main

import (
	"context"
	"time"

	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/vcs"
)

// artifacts holds the operations on artifacts.
type artifacts struct{ store artifactStore }

// artifactStore is the store of these operations. The contract is that of
// artifact.Store.
type artifactStore interface {
	Create(ctx context.Context, by kv.Caller, n artifact.New) (artifact.Upload, artifact.Page, error)
	Show(ctx context.Context, by kv.Caller, id string, after, limit int) (artifact.Upload, artifact.Page, error)
	List(ctx context.Context, ns vcs.Installation, now time.Time, after string, limit int) ([]artifact.Upload, string, error)
	Complete(ctx context.Context, by kv.Caller, id string) (artifact.Upload, error)
	Abort(ctx context.Context, by kv.Caller, id string) error
	Open(ctx context.Context, by kv.Caller, at kv.Position, drafts bool) (artifact.Download, error)
}

var _ artifactStore = (*artifact.Store)(nil)
