package runstore

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Token is what is stored of the token of a run.
type Token struct {
	// Hash is the SHA-256 of the token, by which it is verified.
	Hash []byte
	// Sealed is the token, encrypted, so that a repeated request for the work gets
	// the same token.
	Sealed []byte
}

// Bearer is what decides about a request with the token of a run.
type Bearer struct {
	// Hash is the SHA-256 of the token.
	Hash []byte
	// State is the run's.
	State run.State
	// Installation is the one that the run belongs to.
	Installation vcs.Installation
}

// Bearer reads what decides about a request with the token of a run, strongly
// consistent, in one call. It returns fault.ErrNotFound for a run that is unknown or
// not visible yet.
func (s Store) Bearer(ctx context.Context, id run.ID) (Bearer, error) {
	item, err := s.table().Get(ctx, Key(id), "token_hash", "state", "vcs", "installation")
	if err != nil {
		return Bearer{}, fmt.Errorf("read token of a run: %w", err)
	}
	if item == nil {
		return Bearer{}, fault.ErrNotFound
	}
	r := attr.Read(item)
	b := Bearer{
		Hash: r.Bytes("token_hash"), State: run.State(r.String("state")),
		Installation: vcs.Installation{VCS: vcs.VCS(r.String("vcs")), ID: vcs.ID(r.String("installation"))},
	}
	if err := r.Err(); err != nil {
		return Bearer{}, fmt.Errorf("decode token of run %s: %w", id, err)
	}
	if !b.State.Visible() {
		return Bearer{}, fault.ErrNotFound
	}
	return b, nil
}
