package main

import (
	"context"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
	"github.com/opsplane/opsplane/shared/vcs"
)

// rerunning is a request that starts a run like another one.
type rerunning struct {
	id  run.ID
	key string
}

// decodeID reads the run's id.
func decodeID(r *http.Request) (run.ID, error) {
	id, err := run.ParseID(r.PathValue("work_manifest_id"))
	if err != nil {
		return "", fault.Invalidf("INVALID_ID", "%v", err)
	}
	return id, nil
}

func decodeRerun(r *http.Request) (rerunning, error) {
	id, err := decodeID(r)
	if err != nil {
		return rerunning{}, err
	}
	key, err := decodeKey(r)
	return rerunning{id, key}, err
}

// find reads a run of the installation with its dirspaces. A run of another one does
// not exist for the caller.
func (c *commands) find(ctx context.Context, in vcs.Installation, id run.ID) (run.Run, error) {
	found, err := c.starter.History.Runs.Get(ctx, id)
	if err == nil && found.Repository.Installation != in {
		err = fault.ErrNotFound
	}
	return found, err
}

// rerun starts a run like another one, at the head of its pull request or branch as it
// is now. All rules are checked again.
func (c *commands) rerun(ctx context.Context, call httpapi.Call, q rerunning) (started, error) {
	like, err := c.find(ctx, call.Installation, q.id)
	if err != nil {
		return started{}, err
	}
	if err := mayStart(call.Caller, like.Type); err != nil {
		return started{}, err
	}
	at, err := c.enter(ctx, call, like.Repository.ID)
	if err != nil {
		return started{}, err
	}
	start, err := command.Again(like)
	if err != nil {
		return started{}, err
	}
	return c.create(ctx, call, at, creating{start, q.id, q.key})
}
