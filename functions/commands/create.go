package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/smithy-go"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runview"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// started is the response with a run that was started.
type started struct{ runview.Run }

// Status implements httpapi.Statuser.
func (started) Status() int { return http.StatusCreated }

// creating is a run that is to be created.
type creating struct {
	command.Start
	// again is the run that it repeats. It is empty for a new one.
	again run.ID
	key   string
}

// limits say how many runs may wait or work at one time. Others of the installation
// have to wait for them.
type limits struct {
	active int // runs of an installation
	own    int // of these, runs that one user has started
}

// usual are the limits of the function.
var usual = limits{active: 1000, own: 500}

// create creates a run. If an earlier request with the same idempotency key has done
// so, it returns that run, whatever has changed since.
func (c *commands) create(ctx context.Context, call httpapi.Call, at site, q creating) (started, error) {
	key := runstore.Idempotency{Principal: call.Caller.User, Key: q.key, Request: q.Digest(at.of, q.again)}
	found, there, err := c.starter.History.Runs.Earlier(ctx, key, call.Now)
	if err != nil {
		return started{}, err
	}
	if !there {
		if found, err = c.begin(ctx, call, at, q.Start, key); err != nil {
			return started{}, err
		}
	}
	shown, err := c.shown(ctx, found.Run)
	return started{shown}, err
}

// begin creates a run. If it is refused because of a run that a request with the same
// idempotency key has created meanwhile, it returns that run.
func (c *commands) begin(ctx context.Context, call httpapi.Call, at site, s command.Start, key runstore.Idempotency) (runstore.Created, error) {
	admitted, err := c.admission(ctx, call, at, s)
	var made runstore.Created
	if err == nil {
		admitted.Order.Idempotency = key
		made, err = c.starter.Start(ctx, admitted.Order, call.Author())
	}
	if err == nil {
		err = c.follow(ctx, call, at, made.Run, admitted.Supersedes)
	}
	if err == nil {
		return made, nil
	}
	if found, there, reading := c.starter.History.Runs.Earlier(ctx, key, call.Now); reading == nil && there {
		return found, nil
	}
	return runstore.Created{}, err
}

// follow does what follows the creation of a run: it ends the plans that the run takes the
// place of. It asks for an evaluation if the pull request may lock something by the run.
func (c *commands) follow(ctx context.Context, call httpapi.Call, at site, made run.Run, superseded []run.ID) error {
	for _, id := range superseded {
		_, _, err := c.starter.History.Runs.Abort(ctx, id, runstore.Abortion{Reason: run.ReasonSuperseded(made.ID)}, call.Author())
		if err != nil && !errors.Is(err, fault.ErrNotFound) && !errors.Is(err, runstore.ErrLost) {
			return err
		}
	}
	if made.Kind.Name != run.PullRequest || !made.Type.IsApply() {
		return nil
	}
	return c.lanes.Ask(ctx, lane.Request{Kind: lane.Pull, Repository: at.of, Number: made.Kind.Number, Sender: at.name, At: call.Now}, call.Now)
}

// admissionTime bounds the requests to the host and the storage with which a run is
// decided. The function must have time left to create it.
const admissionTime = 17 * time.Second

// admission returns the run that a request asks for, at the head of its target. It refuses
// a run that cannot be dispatched, one more than may wait, and one that the rules refuse.
func (c *commands) admission(ctx context.Context, call httpapi.Call, at site, s command.Start) (evaluator.Admitted, error) {
	switch {
	case c.starter.PublicBaseURL == "":
		return evaluator.Admitted{}, fault.Invalidf("RUNS_NOT_CONFIGURED", "this server does not know the address at which runners reach it: its operator must set the parameter PublicBaseUrl")
	case at.Archived:
		return evaluator.Admitted{}, fault.Invalidf("REPO_ARCHIVED", "repository %s/%s is archived, so that no CI job can run in it: end that at the host first", at.Owner, at.Name)
	}
	if err := c.room(ctx, call, at.name); err != nil {
		return evaluator.Admitted{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, admissionTime)
	defer cancel()
	e := c.evaluator
	e.Open = func(context.Context, vcs.Installation) (evaluator.Host, error) { return at.host, nil }
	e.Now = func() time.Time { return call.Now }
	found, err := e.Admission(ctx, evaluator.Wanted{Target: s.Target, Actor: at.account, Spec: run.Spec{
		ID: run.NewID(), Repository: at.of, Type: s.Type, Environment: s.Environment, RunsOn: s.RunsOn, TagQuery: s.TagQuery,
		User: at.name, Principal: call.Caller.User, Dirspaces: s.Dirspaces,
	}})
	return found, ofHost(call.VCS, err)
}

// ofHost returns an error of an admission in a form that the caller may see if the host is
// behind it: if it is neither a refusal nor an error of the storage.
func ofHost(v vcs.VCS, err error) error {
	var refusal *fault.Error
	var stored *smithy.OperationError
	if err == nil || errors.As(err, &refusal) || errors.As(err, &stored) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return vcshost.Fault(v, err)
}

// room refuses a run if too many wait or work. Requests that are sent at the same time
// may exceed the limits a little. name is how the caller is shown.
func (c *commands) room(ctx context.Context, call httpapi.Call, name string) error {
	all, own, err := c.starter.History.Index.Active(ctx, call.Installation, call.Caller.User, c.limits.active)
	switch {
	case err != nil:
		return err
	case all >= c.limits.active:
		return fault.TooManyf("TOO_MANY_RUNS", "%d runs of the installation are queued or running: wait until some have ended, or abort some", all).After(time.Minute)
	case own >= c.limits.own:
		return fault.TooManyf("TOO_MANY_RUNS", "%d runs that %s has started are queued or running: wait until some have ended, or abort some", own, name).After(time.Minute)
	}
	return nil
}

// shown returns the form of a run in a response. The run may lack dirspaces that are in
// chunks.
func (c *commands) shown(ctx context.Context, r run.Run) (runview.Run, error) {
	var err error
	if r.Dirspaces, err = c.starter.History.Dirspaces(ctx, r); err != nil {
		return runview.Run{}, err
	}
	row := runindex.Run{Run: r}
	row.Fit()
	return runview.Of(&row), nil
}
