package main

import (
	"context"
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runview"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// abort ends a run without results. The dispatcher cancels its CI job. A run that was
// aborted already is returned as it is.
func (c *commands) abort(ctx context.Context, call httpapi.Call, id run.ID) (runview.Run, error) {
	found, err := c.find(ctx, call.Installation, id)
	if err != nil {
		return runview.Run{}, err
	}
	at, err := c.enter(ctx, call, found.Repository.ID)
	if err != nil {
		return runview.Run{}, err
	}
	now, _, err := c.starter.History.Runs.Abort(ctx, id, runstore.Abortion{Reason: run.ReasonByPerson(at.name)}, call.Author())
	if err != nil {
		return runview.Run{}, err
	}
	if now.State == run.Completed {
		return runview.Run{}, fault.Invalidf("RUN_COMPLETED", "the run has completed: there is nothing to abort")
	}
	return c.shown(ctx, now)
}

// pulling names a pull request of a repository.
type pulling struct {
	repository vcs.ID
	number     int64
}

func decodePull(r *http.Request) (pulling, error) {
	id, err := decodeRepository(r)
	if err != nil {
		return pulling{}, err
	}
	text := r.PathValue("pull_request_id")
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < 1 || strconv.FormatInt(number, 10) != text {
		return pulling{}, fault.Invalidf("INVALID_PULL_NUMBER", "%.40q is not the number of a pull request", text)
	}
	return pulling{id, number}, nil
}

// unlocked is the response to an unlock.
type unlocked struct {
	// Aborted are the runs that it has ended.
	Aborted []run.ID `json:"aborted"`
}

// unlockPull makes all runs of a pull request void. It asks for an evaluation, because
// others may wait for what the pull request has locked.
func (c *commands) unlockPull(ctx context.Context, call httpapi.Call, q pulling) (unlocked, error) {
	at, err := c.enter(ctx, call, q.repository)
	if err != nil {
		return unlocked{}, err
	}
	if _, err := at.pull(ctx, q.number); err != nil {
		return unlocked{}, err
	}
	writes, err := c.lanes.WriteAsk(lane.Request{Kind: lane.Pull, Repository: at.of, Number: q.number, Sender: at.name, At: call.Now}, call.Now)
	if err != nil {
		return unlocked{}, err
	}
	return c.unlock(ctx, call, at, run.OriginOfPullRequest(q.number), writes...)
}

// unlockDrift makes all runs of a repository void that look for drift.
func (c *commands) unlockDrift(ctx context.Context, call httpapi.Call, id vcs.ID) (unlocked, error) {
	at, err := c.enter(ctx, call, id)
	if err != nil {
		return unlocked{}, err
	}
	return c.unlock(ctx, call, at, run.OriginOfDrift)
}

// unlock makes all runs of an origin void. more are further writes of the transaction
// that stores the unlock.
func (c *commands) unlock(ctx context.Context, call httpapi.Call, at site, origin run.Origin, more ...table.Write) (unlocked, error) {
	ended, err := c.starter.History.Runs.Unlock(ctx, at.of, origin, at.name, call.Author(), more...)
	found := unlocked{Aborted: make([]run.ID, len(ended))}
	for i, r := range ended {
		found.Aborted[i] = r.ID
	}
	return found, err
}
